"""What would bring a row, or a whole table, back to a moment. Nothing here changes a row."""

from __future__ import annotations

from datetime import datetime

from flux.data.mutation.image import fields
from flux.data.mutation.restore import Change, Value, quoted, script
from flux.errors import Conflict
from flux.failure import invalid
from flux.store.mutations.record import Json
from flux.store.mutations.state import gaps, image_at, image_now
from flux.store.mutations.tables import Managed, Row, current_rows, mask_key
from flux.store.pool import Connection
from flux.store.shape import plain
from flux.store.sql import statement

# What a person can still read, and what fits into an answer; more is a case for a backup.
ROWS = 5000

# A row's image then, and now; None where there was or is no such row.
Images = tuple[str | None, str | None]


async def restore(conn: Connection, table: Managed, moment: datetime, row: Row | None = None) -> Json:
    """The SQL, how many rows it changes, and what it cannot mend (`gaps`, `record_from`); in `tables.snapshot`.

    Raises Conflict when the table is gone, 400 INVALID_ARGUMENT when it has no primary key, or too much has changed.
    """
    if table.dropped_at is not None:
        raise Conflict(f'Table "{table.name}" was dropped at {plain(table.dropped_at)}: make it again first.')
    if not table.key:
        raise invalid(f'Table "{table.name}" has no primary key: its rows cannot be told apart.')
    images = await (_of_table(conn, table, moment) if row is None else _of_row(conn, row, moment))
    changes = await _changes(conn, table, images)
    name = f"{quoted(table.schema)}.{quoted(table.name)}"
    what = f"{table.name} {row.key}" if row else table.name
    sql = script(name, changes, title=f"{what} back to {plain(moment)}")
    return {
        "table": table.name,
        "time": plain(moment),
        "rows": len(changes),
        "sql": sql,
        "record_from": table.record_from(moment),
        "gaps": await gaps(conn, table, moment, None),
    }


async def _of_table(conn: Connection, table: Managed, moment: datetime) -> list[Images]:
    found = await conn.fetch(
        statement("mutation_restore").replace("/* current rows */", await current_rows(conn, table)),
        await mask_key(conn),
        table.id,
        moment,
        ROWS + 1,
    )
    if len(found) > ROWS:
        raise invalid(f"More than {ROWS} rows have changed since; name one with an id, or take a later moment.")
    return [(item["new"], item["old"]) for item in found]


async def _of_row(conn: Connection, row: Row, moment: datetime) -> list[Images]:
    """Without a look at the other rows."""
    (then, _), now = await image_at(conn, row, moment), await image_now(conn, row)
    return [(then, now)] if then != now else []


async def _changes(conn: Connection, table: Managed, images: list[Images]) -> list[Change]:
    """Of rows' images then and now, in the order given."""
    rows = await conn.fetch(
        statement("mutation_literals"), table.relation, [then for then, _ in images], [now for _, now in images]
    )
    generated = await _generated(conn, table)
    values: list[list[Value]] = [[] for _ in images]
    for row in rows:
        values[row["place"] - 1].append(
            Value(column=row["name"], then=row["then"], now=row["now"], key=row["key"], fixed=row["fixed"])
        )
    changes = [
        Change(
            values=own,
            existed=then is not None,
            exists=now is not None,
            gone=tuple(fields(then).keys() - generated - {value.column for value in own}),
        )
        for own, (then, now) in zip(values, images, strict=True)
    ]
    if any(value.key and value.masked for change in changes for value in change.values):
        raise invalid(f'The key of table "{table.name}" is masked: the record does not say which rows these are.')
    return changes


async def _generated(conn: Connection, table: Managed) -> frozenset[str]:
    rows = await conn.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1 AND attgenerated <> '' AND NOT attisdropped",
        table.relation,
    )
    return frozenset(row["attname"] for row in rows)
