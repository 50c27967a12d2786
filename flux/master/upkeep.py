"""Partitions of executions and mutations: made ahead, dropped when they have expired; jobs that ended long ago."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from ..settings.sections import Record
from ..store import jobs, partitions
from ..store.mutations import weeks
from ..store.pool import LOST_CONNECTION, Connection, Pool, borrowed

log = logging.getLogger("flux.master")

EVERY_S = 3600.0


async def maintain(pool: Pool, record: Record) -> None:
    """Now, and now and then, until it is cancelled."""
    while True:
        with contextlib.suppress(*LOST_CONNECTION):
            async with borrowed(pool) as connection:
                await _sweep(connection, record)
        await asyncio.sleep(EVERY_S)


async def _sweep(connection: Connection, record: Record) -> None:
    today = datetime.now(UTC).date()
    await partitions.ensure_partitions(connection, today)
    await weeks.ensure_weeks(connection, today)
    did = await partitions.drop_expired(
        connection,
        today=today,
        retention_days=record.retention_days,
        error_retention_days=record.error_retention_days,
    )
    did += await weeks.drop_expired(connection, today=today, retention_days=record.mutation_retention_days)
    for what in did:
        log.info("retention: %s", what)
    swept = jobs.SWEEP_ROWS
    while swept == jobs.SWEEP_ROWS:
        swept = await jobs.sweep(connection)
