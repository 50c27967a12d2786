"""Looking up whether answered requests were recorded, in the contender's own database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

# How long after an answer its record may arrive. What is not there by then is lost.
RECORDED_WITHIN_S = 15.0

# When not one more record came for this long, none will: OpenTelemetry exports every second, Flux every 50 ms.
NOTHING_NEW_S = 5.0

# Counting reads the whole table, so it is not repeated more often than this.
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Records:
    """How a contender's records are found.

    `count`: SQL for the number of recorded requests since $1 (timestamptz). `whole`: SQL for how many of the IDs $1
    (text[]) have a record with at least $2 spans; `spans` says how many a request of each kind must have.
    """

    count: str
    whole: str
    spans: Mapping[str, int]

    async def missing(self, database: str, since: datetime, answered: int) -> int:
        """How many of `answered` requests are not among those recorded since `since`."""
        return await self._missing(database, self.count, since, wanted=answered)

    async def incomplete(self, database: str, ids: Sequence[str], kind: str) -> int:
        """How many of `ids`, all answered requests of one kind, have no whole trace."""
        return await self._missing(database, self.whole, list(ids), self.spans[kind], wanted=len(ids))

    async def _missing(self, database: str, sql: str, *arguments: object, wanted: int) -> int:
        end = time.monotonic() + RECORDED_WITHIN_S
        connection = await asyncpg.connect(database)
        try:
            found, last_change = 0, time.monotonic()
            while True:
                before, found = found, int(await connection.fetchval(sql, *arguments))
                now = time.monotonic()
                last_change = now if found != before else last_change
                if found >= wanted or now >= min(end, last_change + NOTHING_NEW_S):
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await connection.close()
        return max(0, wanted - found)
