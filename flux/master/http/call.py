"""What passes between the edge and the dispatcher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from flux.errors import FluxError
from flux.manifest import FunctionSpec
from flux.master.gateway.auth import ApiKey


class GatewayCall(NamedTuple):
    """One request as the gateway let it pass (or, with `spec` None possible, as it was refused).

    `request_id` is 16 bytes. `path` and `target` ("/path?query") are raw; `route` is the declared path, "" if none
    matched. `query` values are lists where a name occurs more than once. `headers` have lower-case names and one
    character per byte; `authorization` and the like are still in them: see `flux.record.redaction`. `body` is None
    when the request has none. `decisions` is JSON: what each step of the gateway decided. `started_us` is wall-clock
    time in µs since 1970; `gateway_us` the time from the head's arrival until now, waiting for the body included.
    """

    request_id: bytes
    method: str
    target: str
    path: str
    route: str
    spec: FunctionSpec | None
    params: dict[str, str]
    query: dict[str, str | list[str]]
    headers: list[tuple[str, str]]
    body: bytes | None
    tenant: str | None
    key: ApiKey | None
    remote: str
    traceparent: str | None
    decisions: bytes
    started_us: int
    gateway_us: int

    @property
    def user(self) -> dict[str, str] | None:
        """Who calls, as `ctx.user` has it."""
        return None if self.key is None else {"id": self.key.id, "role": self.key.role}

    @property
    def url(self) -> str:
        """The absolute URL, as a fetch-style function sees it."""
        host = next((value for name, value in self.headers if name == "host"), "localhost")
        return f"http://{host or 'localhost'}{self.target}"


class Result(NamedTuple):
    """A function's response. `headers` may hold anything; the edge drops those that it sets itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


# Runs a call that the gateway let pass; `spec` is never None then. A Future saves the task that a coroutine needs.
# FluxError becomes the error response, anything else a 500.
Dispatch = Callable[[GatewayCall], Awaitable[Result]]

# Told of each request that was answered with an error before dispatch, to record it.
Refused = Callable[[GatewayCall, FluxError], None]
