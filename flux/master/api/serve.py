"""The management API as one mount point: finds the endpoint, parses, calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from flux.errors import MethodNotAllowed, NotFound, RequestError
from flux.master.api import (
    database,
    executions,
    explain,
    functions,
    invoke,
    keys,
    logs,
    policies,
    rehearse,
    state,
    tail,
)
from flux.master.api.declare import Call, Endpoint
from flux.master.api.openapi import BASE, document
from flux.master.api.services import ApiServices
from flux.master.http.mounts import ApiRequest, ApiResponse, Guard, Mount, json_response

ENDPOINTS: tuple[Endpoint, ...] = (
    *executions.ENDPOINTS,
    *keys.ENDPOINTS,
    *policies.ENDPOINTS,
    *state.ENDPOINTS,
    *functions.ENDPOINTS,
    *invoke.ENDPOINTS,
    *tail.ENDPOINTS,
    *logs.ENDPOINTS,
    *database.ENDPOINTS,
    *explain.ENDPOINTS,
    *rehearse.ENDPOINTS,
)


async def openapi(call: Call) -> ApiResponse:
    return json_response(document(ALL))


ALL: tuple[Endpoint, ...] = (
    *ENDPOINTS,
    Endpoint(
        method="GET",
        path="/openapi.json",
        about="This document.",
        handler=openapi,
        result=dict[str, Any],
    ),
)


class Api:
    """Everything below /flux/api."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._table = [(endpoint.path.split("/"), endpoint) for endpoint in ALL]

    def mount(self, guard: Guard) -> Mount:
        """For `flux.master.http.mounts.Mounts`."""
        return Mount(handler=self.handle, guard=guard)

    async def handle(self, request: ApiRequest) -> ApiResponse:
        """Raises NotFound, MethodNotAllowed (with Allow), ValidationFailed, and what the endpoint raises."""
        endpoint, path = self._find(request.method, request.path.removeprefix(BASE))
        if any("\0" in value for value in (*path.values(), *request.query.values())):
            raise RequestError("The path holds a NUL character, which no text in Postgres does.")
        query = endpoint.values(request.query)
        return await endpoint.handler(Call(services=self._services, request=request, path=path, query=query))

    def _find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        parts = path.split("/")
        wanted = "GET" if method == "HEAD" else method
        allowed = []
        for pattern, endpoint in self._table:
            values = _matched(pattern, parts)
            if values is not None and endpoint.method == wanted:
                return endpoint, values
            if values is not None:
                allowed.append(endpoint.method)
        if allowed:
            methods = ", ".join(sorted(allowed))
            raise MethodNotAllowed(f"This resource takes {methods}, not {method}.", headers={"Allow": methods})
        raise NotFound(f"The management API has no {path[:200]}; see {BASE}/openapi.json.")


def _matched(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    values = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            if not part:
                return None
            values[wanted[1:-1]] = unquote(part)
        elif wanted != part:
            return None
    return values
