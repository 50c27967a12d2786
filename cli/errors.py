"""What ends a command, on top of Flux's one error tree.

    CommandFailed            exit 1   the answer is bad
    ├── BadUsage             exit 2
    ├── NotAllowed           exit 3
    ├── NothingThere         exit 4
    ├── InTheWay             exit 5   a conflict with what is already there
    └── Unreachable          exit 6   no Flux server answers

`code` is the server's code where the server refused. Where the command itself found the fault, it is the class's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flux.errors import FluxError


class CommandFailed(FluxError):
    """The command did not succeed."""

    code = "FAILED"
    exit_code = 1

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        hint: str | None = None,
        violations: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message, violations=violations)
        self.code = code or type(self).code
        self.hint = hint


class BadUsage(CommandFailed):
    """The command was not given as it must be."""

    code = "USAGE"
    exit_code = 2


class NotAllowed(CommandFailed):
    """The server does not allow that with this key."""

    code = "FORBIDDEN"
    exit_code = 3


class NothingThere(CommandFailed):
    """There is nothing of that name."""

    code = "NOT_FOUND"
    exit_code = 4


class InTheWay(CommandFailed):
    """Something is already there."""

    code = "CONFLICT"
    exit_code = 5


class Unreachable(CommandFailed):
    """No Flux server answers."""

    code = "UNREACHABLE"
    exit_code = 6


class OutputClosed(Exception):
    """Whoever read the output (`| head`) has stopped reading: the command is done, and not at fault."""


_BY_STATUS: dict[int, type[CommandFailed]] = {
    400: BadUsage,
    401: NotAllowed,
    403: NotAllowed,
    404: NothingThere,
    409: InTheWay,
    422: BadUsage,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}

_HINT_BY_STATUS = {
    401: "set FLUX_KEY to the operator key (the file operator.key in the server's data folder)",
    403: "use the operator key: set FLUX_KEY, or run this in the project folder",
    503: "the server answers but cannot take this now; try again",
}


def refused(status: int, error: Mapping[str, Any]) -> CommandFailed:
    """The error for an HTTP status and the "error" object of the answer."""
    return _BY_STATUS.get(status, CommandFailed)(
        str(error.get("message") or f"the server answered {status}"),
        code=str(error.get("code") or status),
        hint=_HINT_BY_STATUS.get(status),
        violations=error.get("violations") or (),
    )
