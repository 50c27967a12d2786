"""Executions as they finish, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson

from flux.master.api.declare import Call, Endpoint, Parameter
from flux.master.api.executions import ERRORS, FUNCTION
from flux.master.http.mounts import ApiResponse

# A comment keeps proxies from closing a silent stream, and finds out that the caller is gone.
QUIET_S = 15.0
OK_BELOW = 500


async def tail(call: Call) -> ApiResponse:
    return ApiResponse(
        content_type="text/event-stream",
        headers=(("cache-control", "no-store"), ("x-accel-buffering", "no")),
        stream=_events(call),
    )


async def _events(call: Call) -> AsyncGenerator[bytes]:
    function, errors = call.query.get("function"), call.query.get("errors", False)
    with_logs = call.query.get("logs", False)
    yield b": listening\n\n"
    async for item in call.services.live.listen(QUIET_S):
        if item is None:
            yield b": quiet\n\n"
        elif isinstance(item, int):
            yield b": missed %d\n\n" % item
        elif (function is None or item["function"] == function) and (not errors or item["status"] >= OK_BELOW):
            yield event(item, with_logs)


def event(item: dict[str, Any], with_logs: bool) -> bytes:
    """One message of the stream: its ID is the execution's."""
    shown = item if with_logs else {key: value for key, value in item.items() if key != "logs"}
    return b"id: %b\ndata: %b\n\n" % (item["request_id"].encode(), orjson.dumps(shown))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/tail",
        about="Server-sent events: one message for each execution, when it is stored. Data is an ExecutionSummary.",
        handler=tail,
        result=None,
        query=(
            FUNCTION,
            ERRORS,
            Parameter(name="logs", about="With what the function logged.", type="boolean"),
        ),
        content_type="text/event-stream",
    ),
)
