"""What functions logged, over many executions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson

from flux.master.api.declare import Call, Endpoint, Parameter
from flux.master.api.executions import FUNCTION, ID_ABOUT, SINCE, UNTIL
from flux.master.api.shapes import LogLine, LogLines
from flux.master.http.mounts import ApiResponse, json_response
from flux.store.executions import id_range
from flux.store.pool import Connection
from flux.store.shape import plain

LEVELS = ("debug", "info", "warn", "error")
LIMIT, MOST = 100, 1000

_NEWEST = (
    "SELECT request_id, function, started_at, logs FROM flux.executions WHERE {conditions} "
    "ORDER BY started_at DESC LIMIT {limit}"
)


async def logs(call: Call) -> ApiResponse:
    filters = dict(call.query)
    limit = filters.pop("limit", LIMIT)
    async with call.services.pool.acquire() as conn:
        lines = await newest(conn, limit=limit, **filters)
    return json_response(LogLines(items=lines))


async def newest(
    conn: Connection,
    *,
    limit: int,
    request_id: str | None = None,
    function: str | None = None,
    level: str | None = None,
    since: Any = None,
    until: Any = None,
) -> list[LogLine]:
    """The newest `limit` entries that match, newest first. `level` means that level or worse."""
    levels = LEVELS[LEVELS.index(level) :] if level else LEVELS
    first, last = id_range(request_id) if request_id else (None, None)
    wanted = {
        "function = ${}": function,
        "started_at >= ${}": since,
        "started_at < ${}": until,
        "request_id >= ${}": first,
        "request_id <= ${}": last,
        # The journal writes entries in this very form, so executions without such an entry are left out early.
        "logs::text LIKE ANY (${}::text[])": [f'%"level":"{name}"%' for name in levels] if level else None,
    }
    given = [(text, value) for text, value in wanted.items() if value is not None]
    conditions = ["logs IS NOT NULL", *(text.format(number) for number, (text, _) in enumerate(given, 1))]
    # Each execution that is fetched has at least one entry, so `limit` of them are enough.
    statement = _NEWEST.format(conditions=" AND ".join(conditions), limit=limit)
    rows = await conn.fetch(statement, *(value for _, value in given))
    lines = [line for row in rows for line in _lines(row) if line["level"] in levels]
    return sorted(lines, key=lambda line: line["time"], reverse=True)[:limit]


def _lines(row: Any) -> Iterator[LogLine]:
    for entry in json.loads(row["logs"]):
        yield LogLine(
            time=plain(row["started_at"] + timedelta(microseconds=int(entry.get("t_us") or 0))),
            request_id=str(row["request_id"]),
            function=row["function"],
            level=entry.get("level") or "info",
            message=_raw(entry.get("message")),
            fields=_raw(entry.get("fields")),
            source=_raw(entry.get("source")),
        )


def _raw(value: Any) -> Any:
    """The standard library's JSON takes and gives what the column may hold and orjson refuses: lone surrogates."""
    return None if value is None else orjson.Fragment(json.dumps(value))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/logs",
        about="Entries of console.* and ctx.log, newest first.",
        handler=logs,
        result=LogLines,
        query=(
            Parameter(name="request_id", about=f"Only of this request. {ID_ABOUT}"),
            FUNCTION,
            Parameter(name="level", about="Only this level or worse.", choices=LEVELS),
            SINCE,
            UNTIL,
            Parameter(name="limit", about=f"How many; {LIMIT} if not given.", type="integer", maximum=MOST),
        ),
    ),
)
