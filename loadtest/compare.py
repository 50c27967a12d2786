"""`compare`: all contenders up at once on one Postgres, loaded one at a time, round by round, A B C A B C.

Theory of operation. Neighbouring rounds see the same machine, so ratios hold though absolute figures swing. Every
round: a checkpoint (nobody pays for the predecessor's dirty pages), the load, then a wait until the contender is quiet,
so that work which it deferred, such as exporting spans, is on its own account. Only then the CPU clocks are read, and
only after that the records are counted, so that counting is on nobody's account.

Every answered request must have its record. A count alone could be flattered by requests which the generator
abandoned at the end (answered to nobody, yet recorded; at most one a connection), so `sample` further requests are sent
by a client that knows their IDs, and each of those must be there with its whole trace.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from .client import Tally, closed_loop
from .contender import Contender, Site, site
from .database import Server, scratch
from .figures import Round
from .load import Load
from .processes import ContenderFailed, Tree, machine_cpu_seconds
from .scenario import Name, Stream

# Reading the memory map of every process takes milliseconds, so not more often than this.
PSS_EVERY_S = 1.0

# Callers of the sample whose IDs are looked up: enough to overlap, few enough to be quick.
SAMPLE_CONNECTIONS = 8

# The sample is bounded by its number; this bounds it in time when a contender hardly answers any more.
SAMPLE_EXTRA_S = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A contender that is up."""

    contender: Contender
    site: Site
    tree: Tree


@dataclass(frozen=True, kw_only=True)
class _Clocks:
    """Seconds: wall clock, and CPU of the contender, Postgres, the idle contenders, and the whole machine."""

    wall: float
    own: float
    postgres: float
    idle: float
    machine: float

    @classmethod
    def read(cls, tree: Tree, server: Server, others: Sequence[Tree]) -> _Clocks:
        return cls(
            wall=time.perf_counter(),
            own=tree.cpu_seconds(),
            postgres=server.cpu_seconds(),
            idle=sum(other.cpu_seconds() for other in others),
            machine=machine_cpu_seconds(),
        )

    def since(self, before: _Clocks) -> _Clocks:
        return _Clocks(**{name: getattr(self, name) - getattr(before, name) for name in vars(self)})

    @property
    def unaccounted(self) -> float:
        """CPU seconds of whatever else ran: the generator, and programs that have nothing to do with this."""
        return self.machine - self.own - self.postgres - self.idle


async def compare(
    load: Load,
    contenders: Sequence[Contender],
    *,
    workers: int = 1,
    consume: bool = False,
    progress: Callable[[str], None] = lambda _line: None,
) -> tuple[list[Round], str]:
    """Runs the load against all contenders that have its scenario; always stops what it started.

    Returns the rounds and Postgres's version.
    """
    async with AsyncExitStack() as stack:
        folder, server = await stack.enter_async_context(scratch())
        entries = []
        for contender in contenders:
            if load.scenario not in contender.scenarios:
                continue
            progress(f"starting {contender.title}")
            database = await server.create(f"load_{contender.name.replace('-', '_')}")
            place = stack.enter_context(site(folder / contender.name, database, workers=workers, consume=consume))
            tree = await contender.start(place)
            stack.push_async_callback(tree.stop)
            entries.append(Entry(contender=contender, site=place, tree=tree))
        for entry in entries if load.warmup_s else ():
            await _load(load, entry, seconds=load.warmup_s)
            await entry.tree.quiet()
        rounds = []
        for number in range(1, load.rounds + 1):
            for entry in entries:
                others = [other.tree for other in entries if other is not entry]
                rounds.append(await _round(load, number, entry, others, server))
                progress(
                    f"round {number}/{load.rounds}  {entry.contender.title:<24} {rounds[-1].rate:>9,.0f}/s"
                    f"  p99 {rounds[-1].percentile_ms(99):,.1f} ms"
                )
        return rounds, await server.version()


async def _round(load: Load, number: int, entry: Entry, others: Sequence[Tree], server: Server) -> Round:
    await server.checkpoint()
    since = datetime.now(UTC)
    before = _Clocks.read(entry.tree, server, others)
    async with _peak_pss(entry.tree) as peak:
        tally, generator_cpu_s = await _load(load, entry, seconds=load.seconds)
        loaded = _Clocks.read(entry.tree, server, others).since(before)
    await entry.tree.quiet()
    settled = _Clocks.read(entry.tree, server, others).since(before)
    records = entry.contender.records
    lost = None if records is None else await records.missing(entry.site.database, since, tally.recorded)
    sampled, whole = await _sample(load, entry)
    return Round(
        contender=entry.contender.name,
        number=number,
        requests=tally.requests,
        seconds=tally.seconds,
        latencies=tally.latencies,
        errors=dict(tally.errors),
        lost=lost,
        sampled=sampled,
        sampled_whole=whole,
        own_cpu_s=settled.own,
        postgres_cpu_s=settled.postgres,
        generator_cpu_s=generator_cpu_s,
        idle_cpu=loaded.idle / loaded.wall,
        foreign_cpu=max(0.0, loaded.unaccounted - generator_cpu_s) / loaded.wall,
        pss_bytes=max(peak),
    )


async def _load(load: Load, entry: Entry, *, seconds: int) -> tuple[Tally, float]:
    """What the load saw and the generator's CPU seconds; a contender that died under it ends the comparison."""
    traces = entry.contender.traces(entry.site)
    try:
        return await load.run(entry.tree.address, secrets.token_hex(6), seconds=seconds, traces=traces)
    finally:
        if not entry.tree.alive():
            raise ContenderFailed(f"{entry.contender.title} died during the run\n{entry.tree.log_tail()}")


async def _sample(load: Load, entry: Entry) -> tuple[int, int]:
    """(requests whose IDs were looked up, how many of them have their whole trace)."""
    records = entry.contender.records
    if records is None or not load.sample:
        return 0, 0
    kind: Name = "hello" if load.scenario == "hello" else "create_user"
    tally = await closed_loop(
        entry.tree.address,
        Stream(kind, secrets.token_hex(6)),
        connections=SAMPLE_CONNECTIONS,
        seconds=load.seconds + SAMPLE_EXTRA_S,
        requests=load.sample,
    )
    incomplete = await records.incomplete(entry.site.database, tally.answered, kind)
    return len(tally.answered), len(tally.answered) - incomplete


@asynccontextmanager
async def _peak_pss(tree: Tree) -> AsyncIterator[list[int]]:
    """Reads the tree's memory while the block runs, and at its end; the list holds the readings in bytes."""
    readings: list[int] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(PSS_EVERY_S)
            readings.append(await asyncio.to_thread(tree.pss_bytes))

    watcher = asyncio.create_task(watch())
    try:
        yield readings
    finally:
        watcher.cancel()
        readings.append(tree.pss_bytes())
