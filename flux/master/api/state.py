"""Rows through time: history, blame, how they stood and differ, and the SQL that brings them back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from flux.errors import RequestError
from flux.master.api.declare import Call, Endpoint, Parameter
from flux.master.api.shapes import RowBlame, RowHistory, StateAt, StateDiff, StateRestore
from flux.master.http.mounts import ApiResponse, json_response
from flux.store.mutations import restore, state
from flux.store.mutations.state import PAGE_LIMIT
from flux.store.mutations.tables import Managed, Row, find_row, find_table, snapshot
from flux.store.pool import Connection

TABLE_ABOUT = "A table, also one that was dropped: `users` or `public.users`."

ID = Parameter(name="id", about="The row's primary key: `42`, or `a=1,b=2`, or a JSON object.")
AFTER = Parameter(name="after", about="`next` of the page before.")
LIMIT = Parameter(
    name="limit", about=f"How many; {state.DEFAULT_LIMIT} if not given.", type="integer", maximum=PAGE_LIMIT
)


@asynccontextmanager
async def _table(call: Call) -> AsyncGenerator[tuple[Connection, Managed]]:
    async with call.services.pool.acquire() as conn, snapshot(conn):
        yield conn, await find_table(conn, call.path["table"])


async def _row(conn: Connection, call: Call, table: Managed) -> Row:
    if "id" not in call.query:
        raise RequestError("Say which row, as `id`: its primary key.")
    return await find_row(conn, table, call.query["id"])


def _moment(call: Call, name: str) -> datetime:
    moment = call.query.get(name)
    if not isinstance(moment, datetime):
        raise RequestError(f"Say at what time, as `{name}`, such as 2026-01-31T14:00:00Z.")
    return moment


def _page(call: Call) -> tuple[str | None, int]:
    return call.query.get("after"), call.query.get("limit", state.DEFAULT_LIMIT)


async def row_history(call: Call) -> ApiResponse:
    after, limit = _page(call)
    async with _table(call) as (conn, table):
        return json_response(await state.history(conn, await _row(conn, call, table), after=after, limit=limit))


async def row_blame(call: Call) -> ApiResponse:
    async with _table(call) as (conn, table):
        return json_response(await state.blame(conn, await _row(conn, call, table)))


async def state_at(call: Call) -> ApiResponse:
    moment, (after, limit) = _moment(call, "time"), _page(call)
    async with _table(call) as (conn, table):
        if "id" in call.query:
            return json_response(await state.at_row(conn, await _row(conn, call, table), moment))
        return json_response(await state.at_table(conn, table, moment, after=after, limit=limit))


async def state_diff(call: Call) -> ApiResponse:
    start, end, (after, limit) = _moment(call, "from"), call.query.get("to", datetime.now(UTC)), _page(call)
    if end < start:
        raise RequestError("`from` must be the earlier time.")
    async with _table(call) as (conn, table):
        if "id" in call.query:
            return json_response(await state.diff_row(conn, await _row(conn, call, table), start, end))
        return json_response(await state.diff_table(conn, table, start, end, after=after, limit=limit))


async def state_restore(call: Call) -> ApiResponse:
    moment = _moment(call, "to")
    async with _table(call) as (conn, table):
        row = await _row(conn, call, table) if "id" in call.query else None
        return json_response(await restore.restore(conn, table, moment, row))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/state/{table}/history",
        about="A row's mutations, newest first.",
        handler=row_history,
        result=RowHistory,
        query=(ID, AFTER, LIMIT),
        path_about=TABLE_ABOUT,
    ),
    Endpoint(
        method="GET",
        path="/state/{table}/blame",
        about="For each column of a row, the mutation that last wrote it.",
        handler=row_blame,
        result=RowBlame,
        query=(ID,),
        path_about=TABLE_ABOUT,
    ),
    Endpoint(
        method="GET",
        path="/state/{table}/at",
        about="A row, or the rows of the table by key, as they stood at a time.",
        handler=state_at,
        result=StateAt,
        query=(
            Parameter(name="time", about="The moment; required.", type="time"),
            ID,
            AFTER,
            LIMIT,
        ),
        path_about=TABLE_ABOUT,
    ),
    Endpoint(
        method="GET",
        path="/state/{table}/diff",
        about="How a row, or the rows of the table, differ between two times.",
        handler=state_diff,
        result=StateDiff,
        query=(
            Parameter(name="from", about="The earlier moment; required.", type="time"),
            Parameter(name="to", about="The later one; now if not given.", type="time"),
            ID,
            AFTER,
            LIMIT,
        ),
        path_about=TABLE_ABOUT,
    ),
    Endpoint(
        method="GET",
        path="/state/{table}/restore",
        about="The SQL that would bring a row, or the table, back to a time. It is not run.",
        handler=state_restore,
        result=StateRestore,
        query=(Parameter(name="to", about="The moment; required.", type="time"), ID),
        path_about=TABLE_ABOUT,
    ),
)
