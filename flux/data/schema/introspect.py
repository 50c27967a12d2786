"""Reads the tables of a database: one statement (introspect.sql), put together by `assembly`; and asks for changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from .assembly import assemble
from .model import Schema

if TYPE_CHECKING:
    from flux.store.pool import Connection

# Flux's own, and Postgres' own.
EXCLUDED = ("flux", "flux_auth", "pg_catalog", "information_schema")

QUERY = files(__package__).joinpath("introspect.sql").read_text("utf-8")
FINGERPRINT = files(__package__).joinpath("fingerprint.sql").read_text("utf-8")


async def read_schema(conn: Connection, *, exclude: Sequence[str] = EXCLUDED, partitions: bool = False) -> Schema:
    """Every table and view of the connection's search path. `partitions`: those of partitioned tables, too."""
    rows = await conn.fetch(QUERY, list(exclude), partitions)
    # Some 18 ms for 500 tables, which a worker's other calls need not wait for.
    return await asyncio.to_thread(assemble, rows)


async def read_fingerprint(conn: Connection) -> int:
    """A number that is another one after any DDL: cheap enough to ask for every second (0.1 ms).

    DDL of a session that had done some less than a second before is seen when that session ends or has been idle for
    10 s, unless it ran FLUSH_FINGERPRINT. Rolled back DDL and temporary tables change it, too.
    """
    return int(await conn.fetchval(FINGERPRINT) or 0)


# For sessions that do DDL and want it seen by others at once: their counts go out with the end of this statement.
FLUSH_FINGERPRINT = "SELECT pg_catalog.pg_stat_force_next_flush()"
