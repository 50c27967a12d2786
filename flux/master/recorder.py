"""From the workers' journals to Postgres: taken in batches, stored by COPY, freed only when stored.

Theory of operation. Every `flush_ms`, or when a ring is half full, the recorder takes what each journal ring holds,
COPYs the rows of the executions that have ended, and then, never before, frees that space. Killed at any point, it
loses nothing: its successor finds the rings (`flux.master.recovery`) and stores what is not stored yet. When Postgres
does not answer, the recorder keeps its one batch, tries again, and takes no more; the rings fill, and the workers
refuse or drop as `[record] mode` says.

A COPY whose outcome is unknown (the connection broke) is repeated in a form that skips what is already there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ..config import Settings
from ..errors import WorkerDied
from ..ipc._ring import Ring
from ..ipc.segment import Segment
from ..ipc.wire import JournalKind
from ..record.assembly import Assembly, Entry, close_unfinished
from ..record.execution import recorded_body
from ..store.copy import copy_rows, copy_rows_once
from ..store.outcomes import mark_undelivered
from ..store.pool import LOST_CONNECTION, Connection, Pool, borrowed
from ..store.spill import drop_spilled, spill
from .work import Work

log = logging.getLogger("flux.recorder")

TAKE = 4096  # records taken from one ring at a time: about 2 ms of the master's time
SPILL_SHARE = 4  # an execution that is open while this share of the ring went by gives up its place in it
STORE_S = 10.0  # at the stop; with the drain before it, a stop must end before an orchestrator loses its patience
LAST_TRY_S = 1.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 2.0

OnRows = Callable[[Sequence[bytes]], None]


def begin_entry(work: Work, cap: int) -> Entry:
    """The journal's first entry of an execution, which no worker came to write."""
    return int(JournalKind.BEGIN), work.head + b"\n" + (recorded_body(work.body, cap) or b"")


@dataclass(slots=True)
class Source:
    """One journal ring with the executions that are open in it."""

    ring: Ring
    assembly: Assembly = field(default_factory=Assembly)
    spilled: set[bytes] = field(default_factory=set)


class Recorder:
    """`on_rows` sees every batch after it is stored (for `flux tail`)."""

    FULL = 7 / 8  # the workers refuse new executions from here on (`flux.workers.journal_writer.RESERVE_SHARE`)

    def __init__(self, pool: Pool, settings: Settings, instance: str, on_rows: OnRows) -> None:
        self._pool = pool
        self._instance = instance
        self._cap = settings.record.body_bytes
        self._interval = settings.record.flush_ms / 1000
        self._on_rows = on_rows
        self._sources: dict[str, Source] = {}
        self._wake = asyncio.Event()
        self._flushed = asyncio.Condition()
        self._flushes = 0
        self._stopping = False
        self._ended = False
        self.failing_since: float | None = None
        self._progress_at = 0.0

    def add(self, segment: Segment) -> None:
        self._sources[segment.name] = Source(segment.journal)

    async def run(self) -> None:
        """Until `stop`, and then until everything taken is stored."""
        while not self._stopping:
            await self._pause()
            await self._flush()
        await self._flush()
        self._ended = True
        async with self._flushed:
            self._flushed.notify_all()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def hurry(self) -> None:
        """Flushes now instead of at the end of the interval."""
        self._wake.set()

    async def flush(self) -> None:
        """Returns once everything that was in the rings at the time of the call is in Postgres."""
        target = self._flushes + 2  # the one under way may have passed a ring already
        async with self._flushed:
            while self._flushes < target and not self._ended:
                self._wake.set()
                await self._flushed.wait()

    async def patiently(self, tasks: set[asyncio.Task[None]]) -> bool:
        """Waits for tasks that store something, as long as Postgres takes it; False when it does not any more.

        How much there is to store does not matter: a long backlog that shrinks is waited for.
        """
        if not tasks:
            return True
        started = time.monotonic()
        patience = max(LAST_TRY_S, STORE_S - self.waiting_s())
        while time.monotonic() - max(started, self._progress_at) < patience:
            _, tasks = await asyncio.wait(tasks, timeout=LAST_TRY_S / 10)
            if not tasks:
                return True
        return False

    async def close(self, segment: Segment, failed: Sequence[Work]) -> None:
        """The worker of this segment is gone: stores what it wrote and closes what it left open.

        `failed` are the executions whose callers were told that the worker died.
        """
        await self.flush()
        source = self._sources.pop(segment.name)
        died = ("WORKER_DIED", "worker died", WorkerDied.status)
        now_us = time.monotonic_ns() // 1000
        rows, ended = [], []
        for work in failed:
            entry = source.assembly.open.pop(work.request_id, None)
            if entry is None:
                ended.append(work.request_id)  # ended in the record but not delivered, or never begun
            entries = entry.entries if entry else [begin_entry(work, self._cap)]
            row = close_unfinished(work.request_id, entries, died, self._cap, now_us=now_us)
            if row is not None:
                rows.append(row)
        for execution in list(source.assembly.open):
            row = source.assembly.close(execution, died, self._cap)
            if row is not None:
                rows.append(row)
        await self._store(rows, once=True)
        if ended:
            await self._persist(lambda connection: mark_undelivered(connection, ended, *died[:2], died[2]))
        if source.spilled:
            await self._persist(lambda connection: drop_spilled(connection, list(source.spilled)))

    @property
    def fill(self) -> float:
        """The fullest ring, 0 to 1."""
        return max((1 - source.ring.free / source.ring.capacity for source in self._sources.values()), default=0.0)

    def waiting_s(self) -> float:
        """For how long Postgres has not taken the record; 0 while it does."""
        return 0.0 if self.failing_since is None else time.monotonic() - self.failing_since

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _flush(self) -> None:
        more = True
        while more:
            more = False
            rows: list[bytes] = []
            points: list[tuple[Source, int]] = []
            for source in list(self._sources.values()):
                start = source.ring.taken
                records = source.ring.read_with_positions(TAKE)
                more = more or len(records) == TAKE
                if records:
                    rows += source.assembly.take(records, start)
                    points.append((source, source.ring.taken))
            await self._store(rows)
            for source, taken in points:
                await self._release(source, taken)
        self._flushes += 1
        async with self._flushed:
            self._flushed.notify_all()

    async def _release(self, source: Source, taken: int) -> None:
        point = source.assembly.release_point(taken)
        if taken - point > source.ring.capacity // SPILL_SHARE:
            entries = source.assembly.spill(taken - source.ring.capacity // (2 * SPILL_SHARE), taken)
            await self._persist(lambda connection: spill(connection, entries, node=self._instance))
            source.spilled.update(entry[0] for entry in entries)
            point = source.assembly.release_point(taken)
        source.ring.release(point)
        finished = source.spilled - source.assembly.open.keys()
        if finished:
            await self._persist(lambda connection: drop_spilled(connection, list(finished)))
            source.spilled -= finished

    async def _store(self, rows: Sequence[bytes], *, once: bool = False) -> None:
        if not rows:
            return
        copy = copy_rows_once if once else copy_rows

        async def attempt(connection: Connection) -> None:
            nonlocal copy
            current, copy = copy, copy_rows_once  # the next attempt does not know how this one ended
            await current(connection, rows)

        await self._persist(attempt)
        self._on_rows(rows)

    async def _persist(self, write: Callable[[Connection], Awaitable[None]]) -> None:
        """Runs `write` on a connection until it succeeds, however long Postgres is away."""
        delay = FIRST_RETRY_S
        self._progress_at = time.monotonic()
        while True:
            try:
                async with borrowed(self._pool) as connection:
                    await write(connection)
            except Exception as error:  # giving up would lose what was promised to be kept
                if self.failing_since is None:
                    self.failing_since = time.monotonic()
                    log.warning("the record waits for Postgres: %s", error)
                if not isinstance(error, LOST_CONNECTION):
                    log.exception("the record cannot be stored; trying again")
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY_S)
            else:
                if self.failing_since is not None:
                    log.info("Postgres is back; the record goes on")
                    self.failing_since = None
                self._progress_at = time.monotonic()
                return
