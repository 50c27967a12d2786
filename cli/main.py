"""`flux`: the command line. Every command talks to the HTTP API, except for init, serve, dev and doctor."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.main import get_command

from flux.errors import FluxError

from .commands import (
    db,
    doctor,
    explain,
    generate,
    invoke,
    keys,
    logs,
    policy,
    project,
    replay,
    serve,
    state,
    tail,
    trace,
    version,
)
from .errors import EXIT_INTERRUPTED, OutputClosed

# Plain help: importing rich would triple the time that `flux --help` takes.
app = typer.Typer(
    name="flux",
    help="A backend runtime that records every execution.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 the answer is bad, 2 usage, 3 not allowed, 4 not found, 5 conflict, 6 unreachable.",
)
GROUPS = (
    *(project, serve, trace, explain, tail, logs, invoke, replay, state),
    *(db, generate, keys, policy, doctor, version),
)
for group in GROUPS:
    group.register(app)

# Typer does not export its usage errors (unknown option, missing argument); this is their common class.
_TyperError: type[Exception] = typer.BadParameter.__mro__[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. Never lets a traceback out for a mistake that is not ours."""
    try:
        try:
            code = get_command(app).main(
                args=None if arguments is None else list(arguments), prog_name="flux", standalone_mode=False
            )
        finally:
            sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        _discard_output()
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except FluxError as error:
        _complain(error.message, error.code, getattr(error, "hint", None), error.violations)
        return error.exit_code
    except _TyperError as error:
        return _misused(error)
    return code if isinstance(code, int) else 0


def _misused(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # `flux` or `flux keys` alone: the help was asked for
        return 2
    command = context.command_path if context is not None else "flux"
    _complain(error.format_message(), "USAGE", f"see `{command} --help`")  # type: ignore[attr-defined]  # of _TyperError
    return int(getattr(error, "exit_code", 2))


def _complain(message: str, code: str, hint: str | None, violations: Sequence[Mapping[str, Any]] = ()) -> None:
    """`error: message` and what to do about it, on standard error."""
    from .render.text import Paint, clean, violation_line
    from .terminal import wants_colour

    paint = Paint(enabled=wants_colour(sys.stderr))
    lines = [f"{paint.red('error:')} {clean(message)} ({clean(code)})"]
    lines += [f"  {violation_line(violation)}" for violation in violations]
    if hint:
        lines.append(f"{paint.dim('hint:')} {hint}")
    print("\n".join(lines), file=sys.stderr)


def _discard_output() -> None:
    """Nobody reads any more: keeps the interpreter from complaining about it when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
