"""Executions: list, one in full, replay."""

from __future__ import annotations

import asyncio
import contextlib
from typing import get_args

from flux.errors import NotFound
from flux.master.api.declare import Call, Endpoint, Parameter
from flux.master.api.shapes import Execution, ExecutionPage, Replay
from flux.master.http.mounts import ApiResponse, json_response
from flux.record.row import Kind
from flux.store import executions
from flux.store.executions import PAGE_LIMIT, Row

ID_ABOUT = "Request ID, or its first 8 digits or more."

FUNCTION = Parameter(name="function", about="Only of this function.")
SINCE = Parameter(name="since", about="Only what started at this time or later.", type="time")
UNTIL = Parameter(name="until", about="Only what started before this time.", type="time")
ERRORS = Parameter(name="errors", about="Only what failed (status 500 or above).", type="boolean")


# The record is stored in batches. Who asks right after a request waits for its batch, unless Postgres is in trouble.
FLUSH_S = 1.0


async def _settled(call: Call) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_S):
            await call.services.flush()


async def list_executions(call: Call) -> ApiResponse:
    if "after" not in call.query:
        await _settled(call)
    filters = dict(call.query)
    filters["errors_only"] = filters.pop("errors", False)
    async with call.services.pool.acquire() as conn:
        page = await executions.page(conn, **filters)
    return json_response({"items": page.items, "next": page.next})


async def _get(call: Call) -> Row | None:
    async with call.services.pool.acquire() as conn:
        return await executions.get(conn, call.path["id"])


async def _found(call: Call) -> Row:
    execution = await _get(call)
    if execution is None:
        await _settled(call)
        execution = await _get(call)
    if execution is None:
        raise NotFound(f"No execution {call.path['id']} is recorded (or it is older than what is kept).")
    return execution


async def get_execution(call: Call) -> ApiResponse:
    return json_response(await _found(call))


async def replay_execution(call: Call) -> ApiResponse:
    return json_response(await call.services.replay(await _found(call)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/executions",
        about="Executions, newest first, without their bodies.",
        handler=list_executions,
        result=ExecutionPage,
        query=(
            FUNCTION,
            Parameter(name="status", about="Only with this status.", type="integer", maximum=599),
            Parameter(name="tenant", about="Only of this tenant."),
            Parameter(name="kind", about="Only of this kind.", choices=get_args(Kind)),
            SINCE,
            UNTIL,
            ERRORS,
            Parameter(name="after", about="`next` of the page before."),
            Parameter(name="limit", about="How many; 50 if not given.", type="integer", maximum=PAGE_LIMIT),
        ),
    ),
    Endpoint(
        method="GET",
        path="/executions/{id}",
        about="One execution with its spans, logs and what it set off.",
        handler=get_execution,
        result=Execution,
        path_about=ID_ABOUT,
    ),
    Endpoint(
        method="POST",
        path="/executions/{id}/replay",
        about="Runs it again on the recorded code, every host call answered from the record, and compares.",
        handler=replay_execution,
        result=Replay,
        path_about=ID_ABOUT,
    ),
)
