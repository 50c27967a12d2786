from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from flux.store import partitions
from flux.store.copy import copy_rows
from flux.store.pool import Connection, Pool

from .rows import midnight_us, row

TODAY = datetime.now(UTC).date()


def days_ago(days: int) -> int:
    return midnight_us(TODAY - timedelta(days=days)) + 1000


async def tables(conn: Connection) -> list[str]:
    return [partition.table for partition in await partitions.partitions(conn) if partition.attached]


async def test_made_ahead_of_time_and_only_once(connection: Connection) -> None:
    around = [f"executions_{TODAY + timedelta(days=offset):%Y%m%d}" for offset in (-1, 0, 1, 2)]
    assert await tables(connection) == around
    assert await partitions.ensure_partitions(connection, TODAY) == []
    assert await partitions.ensure_partitions(connection, TODAY + timedelta(days=1)) == [TODAY + timedelta(days=3)]


async def test_made_by_many_at_once(pool: Pool) -> None:
    days = [TODAY + timedelta(days=offset) for offset in range(10, 20)]

    async def node() -> list[date]:
        async with pool.acquire() as conn:
            return await partitions.ensure_days(conn, days)

    made = await asyncio.gather(*(node() for _ in range(4)))
    assert sorted(day for part in made for day in part) == days


async def test_indexes_are_those_of_the_parent(connection: Connection) -> None:
    """A partition made beside and attached must share the parent's indexes, not carry doubles of its own."""
    for day in (TODAY, TODAY + timedelta(days=1)):
        attached, total = await connection.fetchrow(
            "SELECT count(inhparent), count(*) FROM pg_index LEFT JOIN pg_inherits ON inhrelid = indexrelid "
            f"WHERE indrelid = 'flux.executions_{day:%Y%m%d}'::regclass"
        ) or (0, 0)
        assert (attached, total) == (5, 5)


async def test_retention(connection: Connection) -> None:
    await copy_rows(
        connection,
        [
            row(started_us=days_ago(age), status=status)
            for age in (5, 30, 31, 90, 91)
            for status in (200, 404, 500, 504)
        ],
    )
    did = await partitions.drop_expired(connection, today=TODAY, retention_days=30, error_retention_days=90)
    assert len(did) == 3
    kept = await connection.fetch("SELECT $1::date - started_at::date AS age, status FROM flux.executions", TODAY)
    assert sorted((record["age"], record["status"]) for record in kept) == [
        *((5, status) for status in (200, 404, 500, 504)),
        *((30, status) for status in (200, 404, 500, 504)),
        *((31, status) for status in (500, 504)),
        *((90, status) for status in (500, 504)),
    ]
    assert await partitions.drop_expired(connection, today=TODAY) == []


async def test_row_for_a_day_that_was_thinned(connection: Connection) -> None:
    await copy_rows(connection, [row(started_us=days_ago(40))])
    await partitions.drop_expired(connection, today=TODAY)
    assert await copy_rows(connection, [row(started_us=days_ago(40))]) == []
    assert await connection.fetchval("SELECT count(*) FROM flux.executions") == 1


async def test_sweep_that_was_interrupted_is_finished(connection: Connection) -> None:
    """Killed after the errors were copied, and after the exchange but before the old table was dropped."""
    day = TODAY - timedelta(days=40)
    await copy_rows(connection, [row(started_us=days_ago(40), status=500), row(started_us=days_ago(40))])
    full = partitions.Partition(day=day, thin=False, attached=True)
    thin = partitions.Partition(day=day, thin=True, attached=False)
    await connection.execute(f"CREATE TABLE flux.{thin.table} (LIKE flux.executions)")
    await partitions.drop_expired(connection, today=TODAY)
    assert await connection.fetchval("SELECT count(*) FROM flux.executions") == 1

    await connection.execute(f"CREATE TABLE flux.{full.table} (LIKE flux.executions)")
    await partitions.drop_expired(connection, today=TODAY)
    assert await connection.fetchval("SELECT count(*) FROM flux.executions") == 1
    assert full.table not in [partition.table for partition in await partitions.partitions(connection)]


async def test_sweep_gives_way_to_readers(connection: Connection, database_url: str) -> None:
    await copy_rows(connection, [row(started_us=days_ago(100))])
    reader = await asyncpg.connect(database_url)
    try:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetchval("SELECT count(*) FROM flux.executions")
        [did] = await partitions.drop_expired(connection, today=TODAY)
        assert "in use" in did
        await transaction.rollback()
    finally:
        await reader.close()
    assert len(await partitions.drop_expired(connection, today=TODAY)) == 1


async def test_only_one_node_sweeps(connection: Connection, database_url: str) -> None:
    await copy_rows(connection, [row(started_us=days_ago(100))])
    other = await asyncpg.connect(database_url)
    try:
        await other.execute(f"SELECT pg_advisory_lock({partitions.LOCK_KEY})")
        assert await partitions.drop_expired(connection, today=TODAY) == []
    finally:
        await other.close()


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(9999, 12, 31)])
async def test_days_out_of_all_reason(connection: Connection, day: date) -> None:
    assert await partitions.ensure_days(connection, [day]) == []
