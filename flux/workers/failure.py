"""How an execution failed: what its caller is told, and what only the record holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..build.sourcemap import Frame, origin
from ..errors import ExecutionFailed, FluxError

HTTP_ERRORS = range(400, 600)
CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

# Said to callers instead of the text of an error that nobody wrote for them.
UNEXPECTED = "The function failed. Its trace says why: flux why <request_id>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`details` goes to the record only: source position, stack, name of the error class."""

    code: str
    status: int
    message: str
    public_message: str
    violations: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def response(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.public_message, "request_id": request_id}
        if self.violations:
            error["violations"] = list(self.violations)
        return {"error": error}


def from_flux_error(error: FluxError) -> Failure:
    """A limit or a fault of Flux itself: its message is meant for callers."""
    return Failure(
        code=error.code,
        status=error.status,
        message=error.message,
        public_message=error.message,
        violations=error.violations,
        headers=error.headers,
        details={"violations": list(error.violations)},
    )


def describe(thrown: Mapping[str, Any], frames_of: Callable[[str], Sequence[Frame]]) -> Failure:
    """What a function threw, from the isolate's {"code", "status", "message", "name", "stack", "violations"?}.

    An error that carries code and status (`ctx.error`, a failed host call, a failed validation) is the caller's answer
    as it is; any other becomes 500 FUNCTION_ERROR with its text kept for the record. `frames_of` turns V8's
    stack into frames of the source, innermost first.
    """
    message = str(thrown.get("message") or thrown.get("name") or "unknown error")
    status, code = thrown.get("status"), thrown.get("code")
    deliberate = isinstance(status, int) and status in HTTP_ERRORS and isinstance(code, str) and CODE.fullmatch(code)
    frames = frames_of(str(thrown.get("stack") or ""))
    source = origin(frames)
    return Failure(
        code=str(code) if deliberate else ExecutionFailed.code,
        status=int(status) if deliberate and isinstance(status, int) else ExecutionFailed.status,
        message=message,
        public_message=message if deliberate else UNEXPECTED,
        violations=tuple(thrown.get("violations") or ()),
        details={
            "name": thrown.get("name"),
            "source": source.location if source else None,
            "stack": [f"{frame.function} {frame.position.location}".strip() for frame in frames],
            "violations": list(thrown.get("violations") or ()),
        },
    )
