"""`flux`, the process: from its arguments to its exit code. What can be typed is in app.py."""

from __future__ import annotations

import os
import sys

from . import interrupt

TYPE_CHECKING = False  # what `typing` would say; see interrupt.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. Never lets a traceback out for a mistake that is not ours.

    Without `arguments` they are the process's, and so is its SIGINT.
    """
    if arguments is None:
        interrupt.ends_the_process()
    # Not sooner: that takes most of a command's start, and an interrupt can come in it.
    from flux.errors import BuildFailed, FluxError

    from .app import Aborted, Misused, run
    from .errors import OutputClosed

    try:
        try:
            code = run(arguments)
        finally:
            sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        _discard_output()
        return 0
    except (KeyboardInterrupt, Aborted):
        return interrupt.EXIT_INTERRUPTED
    except BuildFailed as error:
        # Its message is the violations already, each with its place, or with "error: " where it has none.
        _complain(error.message.removeprefix("error: "), error.code, None)
        return error.exit_code
    except FluxError as error:
        _complain(error.message, error.code, getattr(error, "hint", None), error.violations)
        return error.exit_code
    except Misused as error:
        return _misused(error)
    return code if isinstance(code, int) else 0


def _misused(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # `flux` or `flux keys` alone: the help was asked for
        return 2
    command = context.command_path if context is not None else "flux"
    _complain(error.format_message(), "USAGE", f"see `{command} --help`")  # type: ignore[attr-defined]  # of Misused
    return int(getattr(error, "exit_code", 2))


def _complain(message: str, code: str, hint: str | None, violations: Sequence[Mapping[str, Any]] = ()) -> None:
    """`error: message` and what to do about it, on standard error."""
    from .render.text import Paint, clean, violation_line
    from .terminal import wants_colour

    paint = Paint(enabled=wants_colour(sys.stderr))
    first, *more = message.split("\n")
    lines = [f"{paint.red('error:')} {clean(first)} ({clean(code)})"]
    # Further lines are indented, so that none can look like one of ours.
    lines += [clean(line) if line.startswith("  ") else f"  {clean(line)}".rstrip() for line in more]
    lines += [f"  {violation_line(violation)}" for violation in violations]
    if hint:
        lines.append(f"{paint.dim('hint:')} {hint}")
    print("\n".join(lines), file=sys.stderr)


def _discard_output() -> None:
    """Nobody reads any more: keeps the interpreter from complaining about it when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
