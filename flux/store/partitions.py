"""Day partitions of the record: made ahead of time, thinned out to errors, dropped.

There is no DEFAULT partition (it would block detaching); a recovered row of another day gets its partition on demand.

Retention. A day older than `retention_days` is *thinned*: its failed executions (status >= 500) are copied into a new
table, which takes the day's place under the parent; the full table is dropped. A day older than `error_retention_days`
is dropped whole. So nothing is ever deleted row by row, and space returns to the system at once. The exchange is one
transaction that locks the parent for milliseconds; when it cannot have the lock soon, the next sweep tries again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import asyncpg

from flux.store.pool import Connection
from flux.store.sql import statement

# Yesterday for executions that started before midnight; two days ahead so that a sweep may fail for a day unnoticed.
DAYS_BEHIND = 1
DAYS_AHEAD = 2
# Rows are refused when their day is further off: a clock that is wrong, and would leave partitions that nobody drops.
OLDEST_DAY = 400
# The sweep waits this long for the parent's lock, while COPYs queue up behind it.
LOCK_TIMEOUT_MS = 500
LOCK_KEY = 0x666C7579
FULL, THIN = "executions_", "errors_"


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A day's table; `thin` when only its errors are left; not `attached` after a sweep that was interrupted."""

    day: date
    thin: bool
    attached: bool

    @property
    def table(self) -> str:
        return f"{THIN if self.thin else FULL}{self.day:%Y%m%d}"


async def ensure_partitions(conn: Connection, today: date) -> list[date]:
    """Make the partitions around `today` (UTC) that are missing; the days made."""
    return await ensure_days(conn, (today + timedelta(days=offset) for offset in range(-DAYS_BEHIND, DAYS_AHEAD + 1)))


async def ensure_days(conn: Connection, days: Iterable[date]) -> list[date]:
    """Make the partitions of `days` that are missing, except of days that are out of all reason; the days made."""
    today = datetime.now(UTC).date()
    wanted = {day for day in days if abs((day - today).days) <= OLDEST_DAY}
    if not wanted - {partition.day for partition in await partitions(conn) if partition.attached}:
        return []
    async with conn.transaction():
        await conn.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        missing = sorted(wanted - {partition.day for partition in await partitions(conn) if partition.attached})
        for day in missing:
            partition = Partition(day=day, thin=False, attached=False)
            await _create(conn, partition)
            await _attach(conn, partition)
    return missing


async def partitions(conn: Connection) -> list[Partition]:
    """All day tables: those left over first, then oldest first."""
    return sorted(
        (
            Partition(
                day=datetime.strptime(row["name"][-8:], "%Y%m%d").date(),
                thin=row["name"].startswith(THIN),
                attached=row["attached"],
            )
            for row in await conn.fetch(statement("partitions"))
        ),
        key=lambda partition: (partition.attached, partition.day),
    )


async def drop_expired(
    conn: Connection, *, today: date, retention_days: int = 30, error_retention_days: int = 90
) -> list[str]:
    """Thin out and drop what has expired; what was done, for the log. Another node doing so already is left to it."""
    if not await conn.fetchval(f"SELECT pg_try_advisory_lock({LOCK_KEY})"):
        return []
    try:
        return await _sweep(conn, today, retention_days, error_retention_days)
    finally:
        await conn.execute(f"SELECT pg_advisory_unlock({LOCK_KEY})")


async def _sweep(conn: Connection, today: date, retention_days: int, error_retention_days: int) -> list[str]:
    did = []
    for partition in await partitions(conn):
        age = (today - partition.day).days
        try:
            # These come first: thinning a day makes its table of errors anew, under the same name.
            if not partition.attached:
                await conn.execute(f"DROP TABLE flux.{partition.table}")
                did.append(f"removed {partition.table}, left over from an interrupted sweep")
            elif age > max(retention_days, error_retention_days):
                await _replace(conn, partition, None)
                did.append(f"dropped {partition.table}")
            elif age > retention_days and not partition.thin:
                await _thin(conn, partition)
                did.append(f"kept only the errors of {partition.table}")
        except asyncpg.LockNotAvailableError:
            did.append(f"{partition.table} is in use; left for the next sweep")
    return did


async def _thin(conn: Connection, full: Partition) -> None:
    thin = Partition(day=full.day, thin=True, attached=False)
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        await _create(conn, thin)
        await conn.execute(f"INSERT INTO flux.{thin.table} SELECT * FROM flux.{full.table} WHERE status >= 500")  # noqa: S608
    await _replace(conn, full, thin)


async def _replace(conn: Connection, old: Partition, new: Partition | None) -> None:
    """Exchange under the parent's lock; the drop, which may delete gigabytes, comes after it."""
    async with conn.transaction():
        await conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await conn.execute(f"ALTER TABLE flux.executions DETACH PARTITION flux.{old.table}")
        if new is not None:
            await _attach(conn, new)
    await conn.execute(f"DROP TABLE flux.{old.table}")


async def _create(conn: Connection, partition: Partition) -> None:
    """A table like the parent, beside it: CREATE TABLE ... PARTITION OF would lock out every reader and writer."""
    await conn.execute(f"DROP TABLE IF EXISTS flux.{partition.table}")
    await conn.execute(f"CREATE TABLE flux.{partition.table} (LIKE flux.executions INCLUDING ALL)")
    # Lets ATTACH skip its scan of the table.
    await conn.execute(
        f"ALTER TABLE flux.{partition.table} ADD CONSTRAINT day "
        f"CHECK (started_at >= '{_midnight(partition.day)}' AND started_at < '{_midnight(partition.day, after=1)}')"
    )


async def _attach(conn: Connection, partition: Partition) -> None:
    await conn.execute(
        f"ALTER TABLE flux.executions ATTACH PARTITION flux.{partition.table} "
        f"FOR VALUES FROM ('{_midnight(partition.day)}') TO ('{_midnight(partition.day, after=1)}')"
    )
    await conn.execute(f"ALTER TABLE flux.{partition.table} DROP CONSTRAINT day")


def _midnight(day: date, *, after: int = 0) -> str:
    return f"{(day + timedelta(days=after)).isoformat()} 00:00:00+00"
