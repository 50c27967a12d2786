"""The one error tree.

    FluxError                      code, HTTP status, message
    ├── RequestError               the caller can mend it (4xx)
    ├── ExecutionFailed            the function, or a limit on it, ended the execution (5xx, or what the function threw)
    ├── Unavailable                Flux cannot serve this now; retry later (502, 503, 504)
    └── LocalError                 misuse on this machine: bad settings, port in use, build failure (CLI exit codes)

A class's docstring is its default message; `code` is stable and documented, `status` is the HTTP status it maps to,
`exit_code` what the command line ends with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class FluxError(Exception):
    """Something went wrong inside Flux; the server's log holds the details."""

    code: str = "INTERNAL"
    status: int = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str | None = None,
        *,
        violations: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.violations = tuple(violations)
        self.headers = dict(headers or {})
        super().__init__(self.message)

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The error shape of every response: {"error": {"code", "message", "request_id", "violations"?}}."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "request_id": request_id}
        if self.violations:
            error["violations"] = list(self.violations)
        return {"error": error}


class RequestError(FluxError):
    """The request is not acceptable."""

    code, status = "INVALID_REQUEST", 400


class InvalidJson(RequestError):
    """The body is not valid JSON in UTF-8."""

    code = "INVALID_JSON"


class Unauthenticated(RequestError):
    """This route needs an API key: send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'."""

    code, status = "UNAUTHENTICATED", 401


class Forbidden(RequestError):
    """This key is not allowed to do that."""

    code, status = "FORBIDDEN", 403
    exit_code = 3


class RouteNotFound(RequestError):
    """No function answers at this path."""

    code, status = "ROUTE_NOT_FOUND", 404
    exit_code = 4


class NotFound(RequestError):
    """There is nothing with this ID."""

    code, status = "NOT_FOUND", 404
    exit_code = 4


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method."""

    code, status = "METHOD_NOT_ALLOWED", 405


class RequestTimeout(RequestError):
    """The request was not sent within the time allowed."""

    code, status = "REQUEST_TIMEOUT", 408


class Conflict(RequestError):
    """That contradicts what is already there."""

    code, status = "CONFLICT", 409
    exit_code = 5


class PayloadTooLarge(RequestError):
    """The body is larger than this server accepts."""

    code, status = "PAYLOAD_TOO_LARGE", 413


class UnsupportedMediaType(RequestError):
    """Send the body as application/json."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415


class ValidationFailed(RequestError):
    """The input does not match the function's schema."""

    code, status = "VALIDATION_FAILED", 422


class HeadTooLarge(RequestError):
    """The request line and headers are larger than this server accepts."""

    code, status = "HEAD_TOO_LARGE", 431


class RateLimited(RequestError):
    """Too many requests; wait as long as Retry-After says."""

    code, status = "RATE_LIMITED", 429


class ExecutionFailed(FluxError):
    """The function failed."""

    code, status = "FUNCTION_ERROR", 500


class OutputInvalid(ExecutionFailed):
    """The function's result does not match its output schema."""

    code = "OUTPUT_INVALID"


class CpuLimit(ExecutionFailed):
    """The function ran longer on the CPU than its limit allows and was stopped."""

    code = "CPU_LIMIT"


class MemoryLimit(ExecutionFailed):
    """The function used more memory than its limit allows and was stopped."""

    code = "MEMORY_LIMIT"


class CallLimit(ExecutionFailed):
    """The function has more host calls in flight than its limit allows."""

    code = "CALL_LIMIT"


class MessageLimit(ExecutionFailed):
    """A host call or the result is larger than the limit allows."""

    code = "MESSAGE_LIMIT"


class IsolateLost(ExecutionFailed):
    """Another request exhausted the isolate that this one ran in; it can be sent again."""

    code, status = "ISOLATE_LOST", 503


class Timeout(ExecutionFailed):
    """The function did not answer within its time limit."""

    code, status = "TIMEOUT", 504


class Divergence(ExecutionFailed):
    """The replay asked for something that the record does not hold at this point."""

    code = "DIVERGENCE"


class Unavailable(FluxError):
    """The server cannot take this request now; try again."""

    code, status = "UNAVAILABLE", 503

    def __init__(
        self,
        message: str | None = None,
        *,
        violations: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, violations=violations, headers={"Retry-After": "1", **(headers or {})})


class Overloaded(Unavailable):
    """All workers are busy; try again shortly."""

    code = "OVERLOADED"


class RecordBacklog(Unavailable):
    """The record cannot be stored fast enough (is Postgres up?), and this server does not serve unrecorded."""

    code = "RECORD_BACKLOG"


class Draining(Unavailable):
    """The server is shutting down."""

    code = "DRAINING"


class WorkerDied(Unavailable):
    """The worker process that ran this request died."""

    code, status = "WORKER_DIED", 502


class LocalError(FluxError):
    """The command cannot be carried out as given."""

    code, status = "USAGE", 400
    exit_code = 2


class ConfigError(LocalError):
    """The settings are not valid."""

    code = "CONFIG"


class AlreadyRunning(LocalError):
    """Another Flux serves from this data folder or port."""

    code, status = "ALREADY_RUNNING", 409
    exit_code = 5


class BuildFailed(LocalError):
    """A function does not build."""

    code, status = "BUILD_FAILED", 422
    exit_code = 1


class ServerUnreachable(LocalError):
    """No Flux server answers; is `flux serve` running?"""

    code, status = "UNREACHABLE", 503
    exit_code = 6
