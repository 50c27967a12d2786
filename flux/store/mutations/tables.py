"""Tables of the mutation record, by name, and rows of theirs, by key."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from flux.data.mutation.key import key_values
from flux.errors import NotFound
from flux.failure import HostError, nearest
from flux.store.mutations.weeks import OLDEST_KEPT
from flux.store.pool import Connection
from flux.store.shape import plain

# What the trigger functions set, so that images of now and then compare as text.
_STYLES = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; "
    "SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'"
)


@dataclass(frozen=True, kw_only=True)
class Managed:
    """`relation`: its oid; it no longer exists when `dropped_at` is set. `key`: columns of the primary key.

    `since`: what changed before is not in the record, or no longer.
    """

    id: int
    relation: int
    schema: str
    name: str
    key: tuple[str, ...]
    since: datetime
    dropped_at: datetime | None

    def record_from(self, moment: datetime) -> str | None:
        """`since`, for an answer about a moment before it."""
        return plain(self.since) if moment < self.since else None


@dataclass(frozen=True, kw_only=True)
class Row:
    """`hash` and `key` as in flux.mutations; `values` are its key's, as text."""

    table: Managed
    hash: int
    key: str
    values: tuple[str, ...]


@asynccontextmanager
async def snapshot(conn: Connection) -> AsyncGenerator[None]:
    """One view of the record and the tables, with values written as the record has them."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await conn.execute(_STYLES)
        yield


async def find_table(conn: Connection, name: str) -> Managed:
    """`users` or `public.users`; of several the one that still exists. Raises NotFound."""
    rows = await conn.fetch(
        f"SELECT id, relation, schema, name, key, greatest(since, {OLDEST_KEPT}) AS since, dropped_at "  # noqa: S608 (a constant)
        "FROM flux.managed_tables "
        "WHERE name = $1 OR schema || '.' || name = $1 "
        "ORDER BY dropped_at DESC NULLS FIRST, array_position(current_schemas(false), schema) LIMIT 1",
        name,
    )
    if not rows:
        known = await conn.fetch("SELECT DISTINCT name FROM flux.managed_tables WHERE dropped_at IS NULL")
        close = nearest(name, [row["name"] for row in known])
        raise NotFound(f'No changes of a table "{name}" are recorded.{close}')
    row = rows[0]
    return Managed(
        id=row["id"],
        relation=row["relation"],
        schema=row["schema"],
        name=row["name"],
        key=tuple(row["key"]),
        since=row["since"],
        dropped_at=row["dropped_at"],
    )


async def find_row(conn: Connection, table: Managed, text: str) -> Row:
    """The row that `text` names, whether it exists or not. Raises 400 INVALID_ARGUMENT, INVALID_VALUE."""
    values = key_values(text, table.key, table.name)
    try:
        found = await conn.fetchrow(
            "SELECT key, hashtextextended(key, $1) AS hash FROM flux.key_of($1, $2) AS key", table.id, values
        )
    except (asyncpg.DataError, asyncpg.NumericValueOutOfRangeError) as error:
        raise HostError("INVALID_VALUE", 400, f'Not a key of table "{table.name}": {error}') from None
    assert found is not None
    return Row(table=table, hash=found["hash"], key=found["key"], values=tuple(values))


async def mask_key(conn: Connection) -> bytes:
    return bytes(await conn.fetchval("SELECT key FROM flux.secret WHERE name = 'mask'"))


async def current_rows(conn: Connection, table: Managed, *, one: bool = False) -> str:
    """A query for the rows of now: `key`, `image`. $1 the mask's key; with `one` $2 the key's values, as text[]."""
    text = await conn.fetchval("SELECT flux.current_rows($1, $2)", table.id, one)
    # A dropped table has none, but has had some.
    return text or (
        "SELECT NULL::text AS key, NULL::json AS image WHERE $1::bytea IS NULL" + " AND $2::text[] IS NULL" * one
    )
