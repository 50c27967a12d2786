"""Partitions of the mutation record: a week each, made ahead of time, dropped when they are too old.

Weeks, where executions have days: mutations are kept for a year, and a row's history looks into every partition. With
53 of them that takes 7 ms (70 ms on a fresh connection), with 365 it took 30 ms (700 ms).

What has no partition goes into `mutations_rest`, so that the team's writes work while Flux does not run; making the
partition of a week moves its rows over. Before a week is dropped its versions are counted, so that rows' numbers go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import asyncpg

from flux.store.partitions import LOCK_TIMEOUT_MS, OLDEST_DAY
from flux.store.pool import Connection
from flux.store.sql import statement

RETENTION_DAYS = 365
WEEK = timedelta(days=7)
LOCK_KEY = 0x666C7764  # of its own: sweeping mutations and sweeping executions do not wait for each other
PREFIX = "mutations_"
# When the oldest week begins that is kept: an expression.
OLDEST_KEPT = (
    "(SELECT to_date(right(min(relname)::text, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' FROM pg_class "
    "WHERE relnamespace = 'flux'::regnamespace AND relispartition AND relkind = 'r' AND relname ~ '^mutations_\\d{8}$')"
)


async def ensure_weeks(conn: Connection, today: date) -> list[date]:
    """Make the missing partitions of this week, of the next, and of weeks that the rest holds; their Mondays."""
    stray = await conn.fetch("SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS day FROM flux.mutations_rest")
    return await ensure(conn, (today, today + WEEK, *(row["day"] for row in stray)))


async def ensure(conn: Connection, days: Iterable[date]) -> list[date]:
    """Make the partitions of these days' weeks that are missing, except of days out of all reason; their Mondays."""
    now = datetime.now(UTC).date()
    wanted = {monday(day) for day in days if abs((day - now).days) <= OLDEST_DAY}
    made: list[date] = []
    for week in sorted(wanted - {_week(name) for name, attached in await _tables(conn) if attached}):
        try:
            if await _make(conn, week):
                made.append(week)
        except asyncpg.LockNotAvailableError:
            break  # writers without a partition are at work; their rows are moved the next time
    return made


async def drop_expired(conn: Connection, *, today: date, retention_days: int = RETENTION_DAYS) -> list[str]:
    """Drop the weeks whose days are all older than that; what was done, for the log. Of several nodes one does it."""
    if not await conn.fetchval(f"SELECT pg_try_advisory_lock({LOCK_KEY})"):
        return []
    did = []
    try:
        for name, attached in await _tables(conn):
            if not attached:
                await conn.execute(f"DROP TABLE flux.{name}")
                did.append(f"removed {name}, left over from an interrupted sweep")
            elif (today - (_week(name) + WEEK)).days >= retention_days:
                did.append(await _drop(conn, name))
    finally:
        await conn.execute(f"SELECT pg_advisory_unlock({LOCK_KEY})")
    return did


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


async def _make(conn: Connection, week: date) -> bool:
    name = f"{PREFIX}{week:%Y%m%d}"
    start, end = (f"{day} 00:00:00+00" for day in (week, week + WEEK))
    async with conn.transaction():
        await conn.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        if name in {table for table, attached in await _tables(conn) if attached}:
            return False
        await conn.execute(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await conn.execute("LOCK TABLE flux.mutations_rest IN ACCESS EXCLUSIVE MODE")
        await conn.execute(f"DROP TABLE IF EXISTS flux.{name}")
        await conn.execute(f"CREATE TABLE flux.{name} (LIKE flux.mutations INCLUDING ALL)")
        await conn.execute(
            f"WITH moved AS (DELETE FROM flux.mutations_rest WHERE at >= '{start}' AND at < '{end}' RETURNING *) "  # noqa: S608 (a date)
            f"INSERT INTO flux.{name} SELECT * FROM moved"
        )
        await conn.execute(
            f"ALTER TABLE flux.mutations ATTACH PARTITION flux.{name} FOR VALUES FROM ('{start}') TO ('{end}')"
        )
    return True


async def _drop(conn: Connection, name: str) -> str:
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL statement_timeout = 0")
            await conn.execute(statement("mutation_count_versions").replace("flux.mutations_week", f"flux.{name}"))
            await conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            await conn.execute(f"ALTER TABLE flux.mutations DETACH PARTITION flux.{name}")
        await conn.execute(f"DROP TABLE flux.{name}")
    except asyncpg.LockNotAvailableError:
        return f"{name} is in use; left for the next sweep"
    return f"dropped {name}"


async def _tables(conn: Connection) -> list[tuple[str, bool]]:
    """Partitions' tables, oldest first, and whether each hangs under the parent."""
    rows = await conn.fetch(
        "SELECT c.relname AS name, c.relispartition AS attached FROM pg_class c "
        "WHERE c.relnamespace = 'flux'::regnamespace AND c.relkind = 'r' "
        "AND c.relname ~ '^mutations_\\d{8}$' ORDER BY 1"
    )
    return [(row["name"], row["attached"]) for row in rows]


def _week(name: str) -> date:
    return datetime.strptime(name.removeprefix(PREFIX), "%Y%m%d").replace(tzinfo=UTC).date()
