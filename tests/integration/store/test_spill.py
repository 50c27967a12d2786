from __future__ import annotations

import uuid

from flux.store.pool import Connection
from flux.store.spill import drop_spilled, load_spilled, spill

FIRST, SECOND = sorted(uuid.uuid4().bytes for _ in range(2))
RECORDS = [
    (SECOND, 2**40, 1, b""),
    (FIRST, 1, 3, b"\x00\xff binary"),
    (FIRST, 0, 2, b"x" * 100_000),
]


async def test_comes_back_in_order(connection: Connection) -> None:
    await spill(connection, [])
    await spill(connection, RECORDS)
    assert await load_spilled(connection) == sorted(RECORDS)


async def test_again_changes_nothing(connection: Connection) -> None:
    await spill(connection, RECORDS[:2])
    await spill(connection, RECORDS)
    assert await load_spilled(connection) == sorted(RECORDS)


async def test_nodes_keep_to_their_own(connection: Connection) -> None:
    await spill(connection, RECORDS[:1], node="a")
    await spill(connection, RECORDS[1:], node="b")
    assert await load_spilled(connection, node="a") == RECORDS[:1]
    assert await load_spilled(connection, node="c") == []


async def test_drop(connection: Connection) -> None:
    await spill(connection, RECORDS)
    await drop_spilled(connection, [FIRST, uuid.uuid4().bytes])
    assert await load_spilled(connection) == RECORDS[:1]
