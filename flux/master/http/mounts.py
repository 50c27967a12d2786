"""The paths that the master serves itself: /health, /readiness, /version, /metrics, /flux and /flux/api/*."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from flux.errors import InvalidJson, NotFound

JSON = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRequest:
    """A request to a mount point. `query` keeps the last value of a name; `headers` finds names in lower case."""

    request_id: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None

    def json(self) -> Any:
        """The body as JSON; None without a body. Raises InvalidJson."""
        if not self.body:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise InvalidJson(f"The body is not valid JSON: {error}.") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiResponse:
    """Its answer. With `stream` the body is what that yields, sent as it comes, until it ends or the caller leaves."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncGenerator[bytes] | None = None


Handler = Callable[[ApiRequest], Awaitable[ApiResponse]]
# Called with the headers before a body is read; raises FluxError for callers that may not.
Guard = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """One mount point."""

    handler: Handler
    guard: Guard | None = None


async def no_dashboard(request: ApiRequest) -> ApiResponse:
    """What /flux answers until there is a dashboard. Raises NotFound."""
    raise NotFound("There is no dashboard yet; the management API is at /flux/api, see /flux/api/openapi.json.")


class Mounts:
    """Which path is whose. `exact` by path; `api` is what lies below /flux/api, `dashboard` the rest of /flux."""

    __slots__ = ("_api", "_dashboard", "_exact")

    def __init__(self, *, exact: Mapping[str, Handler], api: Mount, dashboard: Handler = no_dashboard) -> None:
        self._exact = {path: Mount(handler=handler) for path, handler in exact.items()}
        self._api = api
        self._dashboard = Mount(handler=dashboard)

    def find(self, path: str) -> Mount | None:
        """The mount that serves this raw path, None if it belongs to the gateway."""
        if path.startswith("/flux") and path[5:6] in ("", "/"):
            return self._api if path.startswith("/flux/api/") else self._dashboard
        return self._exact.get(path)


def json_response(value: Any, status: int = 200) -> ApiResponse:
    """A response with this value as JSON."""
    return ApiResponse(status=status, body=orjson.dumps(value, default=str))
