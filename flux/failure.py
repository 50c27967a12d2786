"""How a host call fails: a stable code, the status it means when the function lets it through, and details."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from flux.errors import FluxError
from flux.record.javascript import dumps


class HostError(FluxError):
    """A host call failed; the function may catch it. `details` holds JSON values (constraint, retryable ...)."""

    def __init__(self, code: str, status: int, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.details = dict(details or {})

    def payload(self) -> bytes:
        """The error as the isolate gets it: {"code", "status", "message", "details"?} in JSON."""
        error: dict[str, Any] = {"code": self.code, "status": self.status, "message": self.message}
        if self.details:
            error["details"] = self.details
        return dumps(error)  # the message may quote what was called, lone surrogates included


def invalid(message: str) -> HostError:
    """400 INVALID_ARGUMENT: the call itself is malformed."""
    return HostError("INVALID_ARGUMENT", 400, message)


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean "x"?', or nothing when no known name is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f' Did you mean "{close[0]}"?' if close else ""
