"""Connections whose tables are captured, with and without event triggers.

tables      of a server that lets Flux make event triggers, as the embedded one does
guarded     of one that does not
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
import pytest

from flux.store.mutations.install import install, install_event_triggers
from flux.store.pool import Connection

TABLES = """
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, plan text DEFAULT 'free', amount numeric
);
"""


def superuser(url: str) -> str:
    return url.replace("//flux@", "//postgres@")


async def let_make_event_triggers(url: str) -> None:
    conn = await asyncpg.connect(superuser(url))
    try:
        assert await install_event_triggers(conn)
    finally:
        await conn.close()


@pytest.fixture
async def guarded(connection: Connection) -> Connection:
    await connection.execute(TABLES)
    await install(connection)
    return connection


@pytest.fixture
async def tables(guarded: Connection, database_url: str) -> Connection:
    await let_make_event_triggers(database_url)
    await install(guarded)
    return guarded


async def written(conn: Connection, *, ddl: bool = False) -> list[dict[str, Any]]:
    """The mutations so far, in order, as the test reads them; forgets them."""
    rows = await conn.fetch(
        'SELECT m.*, t.name AS "table" FROM flux.mutations m LEFT JOIN flux.managed_tables t '
        "ON t.id = m.table_id ORDER BY m.id"
    )
    await conn.execute("DELETE FROM flux.mutations")
    found = []
    for row in rows:
        if row["operation"] == "ddl" and not ddl:
            continue
        values = dict(row)
        for column in ("key", "old", "new"):
            values[column] = None if values[column] is None else orjson.loads(values[column])
        found.append(values)
    return found


def told(mutations: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(operation, key, changed) of each."""
    return [(each["operation"], each["key"], each["changed"]) for each in mutations]
