"""Mutations as JSON, and those of one execution."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flux.data.mutation.key import key_object
from flux.store.pool import Connection
from flux.store.shape import plain, raw
from flux.store.sql import statement

# More than a person reads; `flux state` shows the rest.
OF_REQUEST = 500

Json = dict[str, Any]


async def of_request(conn: Connection, request_id: UUID, limit: int) -> list[Json]:
    """What an execution changed, in the order in which it took effect; at most `limit`."""
    rows = await conn.fetch(
        statement("mutation_select") + "WHERE m.request_id = $1 ORDER BY m.id LIMIT $2", request_id, limit
    )
    return [to_json(row) for row in rows]


async def count_of_request(conn: Connection, request_id: UUID) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM flux.mutations WHERE request_id = $1", request_id))


def to_json(row: Any, version: int | None = None) -> Json:
    """A row of mutation_select.sql for `orjson.dumps`; images are the stored text. `version` where it is known."""
    result: Json = {
        "id": row["id"],
        "at": plain(row["at"]),
        "table": row["name"],
        "schema": row["schema"],
        "row": key_object(row["key"], row["key_columns"] or ()) if row["key"] is not None else None,
        "version": version,
        "operation": row["operation"],
        "changed": row["changed"],
        "old": raw(row["old"]),
        "new": raw(row["new"]) if row["operation"] != "ddl" else None,
        **author(row),
        "transaction": row["transaction"],
    }
    if row["operation"] == "ddl":
        result["ddl"] = raw(row["new"])
    return result


def author(row: Any) -> Json:
    """Who made a change."""
    return {
        "request_id": plain(row["request_id"]),
        "span": row["span"],
        "function": row["function"],
        "code_version": row["code_version"],
        "actor": row["actor"],
        "tenant": row["tenant"],
    }
