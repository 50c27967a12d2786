"""A clock of moments between changes, and the questions of `flux state`, answered as JSON.

changing    a connection with a captured table `users`
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from flux.store.mutations import restore, state
from flux.store.mutations.install import install
from flux.store.mutations.tables import find_row, find_table, snapshot
from flux.store.pool import Connection


@pytest.fixture
async def changing(connection: Connection) -> Connection:
    await connection.execute(
        "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE, amount numeric, "
        "settings jsonb, tags text[], double_amount numeric GENERATED ALWAYS AS (amount * 2) STORED)"
    )
    await install(connection)
    return connection


def now() -> datetime:
    return datetime.now(UTC)


async def ask(conn: Connection, what: str, table: str, *args: Any, id: str | None = None, **named: Any) -> Any:
    async with snapshot(conn):
        found = await find_table(conn, table)
        if what == "restore":
            row = await find_row(conn, found, id) if id is not None else None
            (moment,) = args
            answer = await restore.restore(conn, found, moment, row)
        elif what in ("history", "blame"):
            assert id is not None
            answer = await getattr(state, what)(conn, await find_row(conn, found, id), **named)
        elif id is not None:
            answer = await getattr(state, f"{what}_row")(conn, await find_row(conn, found, id), *args)
        else:
            answer = await getattr(state, f"{what}_table")(conn, found, *args, **named)
    return orjson.loads(orjson.dumps(answer))
