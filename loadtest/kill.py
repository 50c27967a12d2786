"""`kill`: kill -9 under load, then count the requests that were answered with success and have no whole record.

A stack that answers first and records later loses what it held in memory. The load is the harness's own client in a
closed loop, which keeps the ID of every answer that it read.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil

from .client import Tally, closed_loop
from .contender import Contender, Site, site
from .database import scratch
from .load import OutOfBounds
from .processes import Tree
from .scenario import Name, Stream

Victim = Literal["all", "master", "worker"]

# Upper bounds of one run.
MAX_KILLS = 500
MAX_SECONDS = 60

# How the processes that serve requests are told from the rest: Flux's by title, uvicorn's by how they were spawned.
WORKER_TITLES = ("flux: worker", "spawn_main")

# After a worker was killed the load goes on for this long, so that its successor is under load too.
AFTER_WORKER_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill: `answered` requests before and after it, `lost` of them without their whole record."""

    number: int
    victim: str
    answered: int
    lost: int
    errors: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`kills` times: load for 0.5 to 1.5 times `seconds`, then kill -9 of `victim`. Raises OutOfBounds."""

    contender: Contender
    victim: Victim
    scenario: Name = "create_user"
    kills: int = 5
    seconds: float = 2.0
    connections: int = 32
    workers: int = 2

    def __post_init__(self) -> None:
        if not (1 <= self.kills <= MAX_KILLS and 0 < self.seconds <= MAX_SECONDS):
            raise OutOfBounds(f"at most {MAX_KILLS} kills and {MAX_SECONDS} s of load before each")
        if self.contender.records is None:
            raise OutOfBounds(f"{self.contender.title} records nothing, so nothing can be lost")


async def kill_under_load(plan: Plan, progress: Callable[[Kill], None]) -> list[Kill]:
    """Runs the plan on a database and folder of its own; the contender is started again after a kill of its root."""
    async with scratch() as (folder, server):
        database = await server.create("load_kill")
        with site(folder / "site", database, workers=plan.workers) as place:
            return await _kill_repeatedly(plan, place, progress)


async def _kill_repeatedly(plan: Plan, place: Site, progress: Callable[[Kill], None]) -> list[Kill]:
    tree = await plan.contender.start(place)
    try:
        kills = []
        for number in range(1, plan.kills + 1):
            name, tally = await _load_and_kill(plan, tree)
            if not tree.alive():
                # What outlived the root would be found by the restart in the field, too; it is ended afterwards.
                before, tree = tree, await plan.contender.restart(place)
                before.kill()
            kills.append(await _count(plan, place, number, name, tally))
            progress(kills[-1])
        return kills
    finally:
        await tree.stop()


async def _load_and_kill(plan: Plan, tree: Tree) -> tuple[str, Tally]:
    stop = asyncio.Event()
    load = closed_loop(
        tree.address,
        Stream(plan.scenario, secrets.token_hex(6)),
        connections=plan.connections,
        seconds=2 * plan.seconds + AFTER_WORKER_S,
        stop=stop,
    )
    async with asyncio.TaskGroup() as group:
        loading = group.create_task(load)
        # The moment is random so that kills hit every phase of the recorder's cycle.
        await asyncio.sleep(plan.seconds * random.uniform(0.5, 1.5))  # noqa: S311
        # In a thread: finding the processes takes milliseconds, in which the load must not pause.
        name = await asyncio.to_thread(_strike, plan.victim, tree)
        if plan.victim == "worker":
            await asyncio.sleep(AFTER_WORKER_S)
        stop.set()
    return name, loading.result()


def _strike(victim: Victim, tree: Tree) -> str:
    """Sends SIGKILL; returns whom it hit."""
    members = tree.members()
    if victim == "all":
        tree.kill()
        return f"all {len(members)} processes"
    if victim == "master":
        title = _title(tree.root)
        tree.kill_root()
        return title
    workers = [process for process in members[1:] if any(mark in _title(process) for mark in WORKER_TITLES)]
    chosen = random.choice(workers)  # noqa: S311
    title = _title(chosen)
    chosen.kill()
    return title


def _title(process: psutil.Process) -> str:
    try:
        # A title that a process gave itself is padded to the length of its first command line.
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return ""


async def _count(plan: Plan, place: Site, number: int, victim: str, tally: Tally) -> Kill:
    assert plan.contender.records is not None
    lost = await plan.contender.records.incomplete(place.database, tally.answered, _kind(plan.scenario))
    return Kill(number=number, victim=victim, answered=len(tally.answered), lost=lost, errors=dict(tally.errors))


def _kind(scenario: Name) -> str:
    """What a whole trace of `scenario` is measured by; every request of `mixed` has at least the spans of `hello`."""
    return "create_user" if scenario == "create_user" else "hello"
