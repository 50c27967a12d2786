"""Reading the record: one execution, a page of them, what an execution set off.

Results are dictionaries for `orjson.dumps`. Columns that hold JSON are `orjson.Fragment`s: the stored text goes to the
caller as it is, with its key order, its large numbers and its escapes.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from flux.errors import Conflict, RequestError
from flux.record.rollbacks import marked, rolled_back
from flux.record.row import COLUMNS
from flux.store.cursor import Page, pack, unpack
from flux.store.mutations import record
from flux.store.pool import Connection
from flux.store.shape import plain, raw
from flux.store.sql import statement

# A prefix of 32 bits is what `flux trace` prints; anything shorter would soon be ambiguous.
PREFIX_DIGITS = 8
CANDIDATES = 5
PAGE_LIMIT = 500

_JSON = frozenset({"error", "request", "input", "output", "spans", "logs"})
# What a listing shows: everything but the bodies.
SUMMARY = COLUMNS[: COLUMNS.index("seed")]
CHILD = ("kind", "function", "job_id", "state", "attempts", "request_id", "status", "started_at")

Row = dict[str, Any]


async def get(conn: Connection, id_or_prefix: str) -> Row | None:
    """One execution in full, with its children and what it changed; None when there is none.

    Takes the ID, with or without dashes, or its first 8 or more digits. Raises RequestError for anything else, Conflict
    listing the candidates when a prefix is ambiguous.
    """
    first, last = id_range(id_or_prefix)
    rows = await conn.fetch(statement("execution_get"), first, last, CANDIDATES)
    if len({row["request_id"] for row in rows}) > 1:
        listed = ", ".join(sorted({str(row["request_id"]) for row in rows}))
        raise Conflict(f"{id_or_prefix} could be any of: {listed}{', ...' if len(rows) == CANDIDATES else ''}")
    if not rows:
        return None
    execution = _to_json(rows[0], COLUMNS)
    execution["spans"] = raw(_with_rollbacks(rows[0]["spans"]))
    execution["children"] = await children(conn, rows[0]["request_id"])
    execution["mutations"] = await record.of_request(conn, rows[0]["request_id"], record.OF_REQUEST)
    execution["mutation_count"] = len(execution["mutations"])
    if execution["mutation_count"] == record.OF_REQUEST:
        execution["mutation_count"] = await record.count_of_request(conn, rows[0]["request_id"])
    return execution


def _with_rollbacks(spans: str) -> str:
    """The spans' text with the writes marked that a rollback undid."""
    if '"op":"db.begin"' not in spans:
        return spans
    return marked(spans, rolled_back(orjson.loads(spans)))


def id_range(id_or_prefix: str) -> tuple[UUID, UUID]:
    """The lowest and highest ID that start with these digits. Raises RequestError."""
    digits = id_or_prefix.strip().lower().replace("-", "")
    if re.fullmatch(rf"[0-9a-f]{{{PREFIX_DIGITS},32}}", digits) is None:
        raise RequestError(f"{id_or_prefix!r} is not a request ID: give at least its first {PREFIX_DIGITS} digits.")
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


async def page(
    conn: Connection,
    *,
    function: str | None = None,
    status: int | None = None,
    tenant: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    errors_only: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """Executions without their bodies, newest first. `since` is included, `until` is not; at most PAGE_LIMIT rows."""
    limit = max(1, min(limit, PAGE_LIMIT))
    wanted = {
        "function = ": function,
        "status = ": status,
        "tenant = ": tenant,
        "kind = ": kind,
        "started_at >= ": since,
        "started_at < ": until,
    }
    # Only the conditions that were given, so that each combination has a plan that fits it.
    values: list[Any] = [value for value in wanted.values() if value is not None]
    conditions = [text for text, value in wanted.items() if value is not None]
    where = [f"{text}${number}" for number, text in enumerate(conditions, 1)]
    if errors_only:
        where.append("status >= 500")
    if after:
        values += unpack(after)
        where.append(f"(started_at, request_id) < (${len(values) - 1}, ${len(values)})")
    rows = await conn.fetch(
        f"SELECT {', '.join(SUMMARY)} FROM flux.executions "  # noqa: S608 (constants; values are parameters)
        f"{'WHERE ' + ' AND '.join(where) if where else ''} "
        f"ORDER BY started_at DESC, request_id DESC LIMIT {limit + 1}",
        *values,
    )
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=[_to_json(row, SUMMARY) for row in rows[:limit]],
        next=pack(last["started_at"], last["request_id"]) if last else None,
    )


async def children(conn: Connection, request_id: UUID | str) -> list[Row]:
    """What an execution set off, in order.

    Jobs it pushed, with the execution of their latest attempt; and executions that name it as parent but belong to no
    job that is still kept, whose `state` is done or failed.
    """
    rows = await conn.fetch(statement("execution_children"), UUID(str(request_id)))
    return [
        {
            **{column: plain(row[column]) for column in CHILD},
            "duration_ms": None if row["duration_us"] is None else row["duration_us"] / 1000,
        }
        for row in rows
    ]


def _to_json(row: Any, columns: tuple[str, ...]) -> Row:
    result: Row = {}
    for column in columns:
        if column == "duration_us":
            result["duration_ms"] = row[column] / 1000
        else:
            result[column] = raw(row[column]) if column in _JSON else plain(row[column])
    if "logs" in result and result["logs"] is None:
        result["logs"] = []
    return result
