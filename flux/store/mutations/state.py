"""Rows through time: `history`, `blame`, `at`, `diff`, made of the mutations and the rows of now.

A change counts from when its statement ran, not from its commit. Each function answers with a dictionary for
`orjson.dumps`; they expect to be called within `tables.snapshot`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flux.data.mutation.image import changes, fields
from flux.data.mutation.key import key_object
from flux.failure import invalid
from flux.store.cursor import pack, unpack
from flux.store.mutations.record import Json, author, to_json
from flux.store.mutations.tables import Managed, Row, current_rows, mask_key
from flux.store.pool import Connection
from flux.store.shape import plain, raw
from flux.store.sql import statement

PAGE_LIMIT = 500
DEFAULT_LIMIT = 50

# The hash in `row` alone finds it; "+ 0" keeps the planner from reading a table's index backwards instead.
_OF_ROW = "WHERE m.row = $1 AND m.key = $2 AND m.table_id + 0 = $3 "
# Row by row these leave no trace: what stood there before them is known only as far as it was changed before.
_WIPES = "m.operation IN ('truncate', 'ddl') AND (m.operation = 'truncate' OR m.new->>'command' = ANY ($4))"


async def history(conn: Connection, row: Row, *, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Json:
    """The mutations of a row, newest first, each with the number of the version that it made."""
    limit = max(1, min(limit, PAGE_LIMIT))
    where, values = _OF_ROW, [row.hash, row.key, row.table.id]
    if after is not None:
        moment, id_ = unpack(after)
        where += "AND m.at <= $4 AND (m.at, m.id) < ($4, $5) "
        values += [moment, id_.int]
    found = await conn.fetch(
        statement("mutation_select") + where + f"ORDER BY m.at DESC, m.id DESC LIMIT {limit + 1}", *values
    )
    items = found[:limit]
    newest = await _version(conn, row, items[0]) if items else 0
    last = items[-1] if len(found) > limit else None
    return {
        **_about(row),
        "items": [to_json(item, newest - place) for place, item in enumerate(items)],
        "next": pack(last["at"], UUID(int=last["id"])) if last else None,
    }


async def blame(conn: Connection, row: Row) -> Json:
    """Who last wrote each column of a row as it is, or as it was when it went. None of it without mutations."""
    latest = await _latest(conn, row, None)
    written = await conn.fetch(statement("mutation_blame"), row.hash, row.key, row.table.id)
    ids = {item["id"] for item in written}
    made = {
        item["id"]: item
        for item in await conn.fetch(
            statement("mutation_select") + _OF_ROW + "AND m.id = ANY ($4)", row.hash, row.key, row.table.id, list(ids)
        )
    }
    by_column = {item["column"]: made[item["id"]] for item in written}
    # The latest mutation knows nothing of columns that were made, renamed or dropped since.
    image, ended = await image_now(conn, row), None
    if image is None and latest is not None:
        image = latest["new"] or latest["old"]
        ended = to_json(latest) if latest["operation"] == "delete" else await _wiped(conn, row, latest["at"])
    versions = {id_: await _version(conn, row, by) for id_, by in made.items()}
    columns = []
    for name, value in fields(image).items():
        by = by_column.get(name)
        columns.append(
            {
                "column": name,
                "value": raw(value),
                # Not written since the record began.
                "at": plain(by["at"]) if by else None,
                "version": versions[by["id"]] if by else None,
                "operation": by["operation"] if by else None,
                **(author(by) if by else {}),
            }
        )
    return {**_about(row), "deleted": ended, "columns": columns}


async def at_row(conn: Connection, row: Row, moment: datetime) -> Json:
    """The row as it stood at `moment`: `values` is null when there was none, `known` false when nobody can say."""
    image, known = await image_at(conn, row, moment)
    return {**_about(row), "time": plain(moment), "values": raw(image), **_known(row.table, moment, known)}


async def at_table(
    conn: Connection, table: Managed, moment: datetime, *, after: str | None = None, limit: int = DEFAULT_LIMIT
) -> Json:
    """Rows of a table as they stood at `moment`, by key. `gaps`: what happened since that hides rows."""
    limit = max(1, min(limit, PAGE_LIMIT))
    text = statement("mutation_table_at" if table.key else "mutation_bag_at")
    rows = await conn.fetch(
        text.replace("/* current rows */", await current_rows(conn, table)),
        await mask_key(conn),
        table.id,
        moment,
        after,
        limit,
    )
    items = [
        {"row": _key(table, row["key"]), "values": raw(row["image"]), "current": row["current"]}
        for row in rows
        for _ in range(1 if table.key else row["number"])
    ]
    more = bool(rows) and rows[0]["remaining"] > len(rows)
    return {
        "table": table.name,
        "time": plain(moment),
        "items": items,
        "next": (rows[-1]["key"] if table.key else rows[-1]["image"]) if more else None,
        "record_from": table.record_from(moment),
        "gaps": await gaps(conn, table, moment, None),
    }


async def diff_row(conn: Connection, row: Row, start: datetime, end: datetime) -> Json:
    """A row at two moments: the columns in which it differs, and how many mutations lie between."""
    before, known_before = await image_at(conn, row, start)
    after, known_after = await image_at(conn, row, end)
    number = await conn.fetchval(
        f"SELECT count(*) FROM flux.mutations m {_OF_ROW} AND m.at > $4 AND m.at <= $5",  # noqa: S608 (a constant)
        row.hash,
        row.key,
        row.table.id,
        start,
        end,
    )
    return {
        **_about(row),
        "from": plain(start),
        "to": plain(end),
        "before": raw(before),
        "after": raw(after),
        **_known(row.table, start, known_before and known_after),
        "changes": changes(before, after),
        "mutations": number,
    }


async def diff_table(
    conn: Connection,
    table: Managed,
    start: datetime,
    end: datetime,
    *,
    after: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Json:
    """The rows that differ between two moments, by key, and how many of each kind there are.

    Raises 400 INVALID_ARGUMENT when the table has no primary key.
    """
    if not table.key:
        raise invalid(f'Table "{table.name}" has no primary key: its rows cannot be told apart.')
    limit = max(1, min(limit, PAGE_LIMIT))
    rows = await conn.fetch(statement("mutation_table_diff"), table.id, start, end, after, limit + 1)
    listed = [row for row in rows if row["key"] is not None]
    return {
        "table": table.name,
        "from": plain(start),
        "to": plain(end),
        "counts": {kind: rows[0][kind] for kind in ("inserted", "updated", "deleted")},
        "items": [
            {
                "row": _key(table, row["key"]),
                "operation": "inserted" if row["old"] is None else "deleted" if row["new"] is None else "updated",
                "changes": changes(row["old"], row["new"]),
                "mutations": row["mutations"],
            }
            for row in listed[:limit]
        ],
        "next": listed[limit - 1]["key"] if len(listed) > limit else None,
        "record_from": table.record_from(start),
        "gaps": await gaps(conn, table, start, end),
    }


async def gaps(conn: Connection, table: Managed, start: datetime, end: datetime | None) -> list[Json]:
    """TRUNCATE and DROP TABLE after `start`, until `end`: rows went without a record of their own.

    ALTER TABLE, too, where there is no key: rows are told apart by their values, and it changes these.
    """
    rows = await conn.fetch(
        statement("mutation_select")
        + "WHERE m.table_id = $1 AND m.at > $2 AND ($3::timestamptz IS NULL OR m.at <= $3) "
        f"AND {_WIPES} ORDER BY m.at, m.id",
        table.id,
        start,
        end,
        ["DROP TABLE"] if table.key else ["DROP TABLE", "ALTER TABLE"],
    )
    return [to_json(row) for row in rows]


def _about(row: Row) -> Json:
    return {"table": row.table.name, "row": key_object(row.key, row.table.key)}


def _known(table: Managed, moment: datetime, known: bool) -> Json:
    return {"known": known, "record_from": None if known else table.record_from(moment)}


def _key(table: Managed, key: str | None) -> Any:
    return None if key is None else key_object(key, table.key)


async def _version(conn: Connection, row: Row, mutation: Any) -> int:
    return int(
        await conn.fetchval(
            statement("mutation_versions"), row.hash, row.key, row.table.id, mutation["at"], mutation["id"]
        )
    )


async def _latest(conn: Connection, row: Row, moment: datetime | None) -> Any:
    """The last mutation of a row up to `moment`."""
    return await conn.fetchrow(
        statement("mutation_select") + _OF_ROW + "AND ($4::timestamptz IS NULL OR m.at <= $4) "
        "ORDER BY m.at DESC, m.id DESC LIMIT 1",
        row.hash,
        row.key,
        row.table.id,
        moment,
    )


async def image_at(conn: Connection, row: Row, moment: datetime) -> tuple[str | None, bool]:
    """The row's image at `moment`, None when there was none, and whether that is certain."""
    before = await _latest(conn, row, moment)
    if before is not None:
        return (None if await gaps(conn, row.table, before["at"], moment) else before["new"]), True
    first = await conn.fetchrow(
        statement("mutation_select") + _OF_ROW + "AND m.at > $4 ORDER BY m.at, m.id LIMIT 1",
        row.hash,
        row.key,
        row.table.id,
        moment,
    )
    # Unless the table was emptied meanwhile, the row was then what it was before its first change; or still is.
    hidden = await gaps(conn, row.table, moment, first["at"] if first else None)
    known = not hidden and moment >= row.table.since
    return (first["old"] if first else await image_now(conn, row)), known


async def _wiped(conn: Connection, row: Row, since: datetime) -> Json | None:
    """What took away a row that no mutation of its own ended."""
    found = await gaps(conn, row.table, since, None)
    return found[0] if found else None


async def image_now(conn: Connection, row: Row) -> str | None:
    found = await conn.fetchrow(await current_rows(conn, row.table, one=True), await mask_key(conn), list(row.values))
    return found["image"] if found else None
