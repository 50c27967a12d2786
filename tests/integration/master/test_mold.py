"""A real mold, and a worker that it forks, which ends at once: the shared memory that it is told of is not there."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from flux import config
from flux.ipc.doorbell import Doorbell
from flux.master.mold import Mold
from flux.workers.boot import Boot

from .conftest import until


class Told:
    """What the mold's parent hears."""

    def __init__(self) -> None:
        self.spawned_pids: dict[tuple[int, int], int] = {}
        self.exits: dict[int, int] = {}
        self.losses: list[int] = []

    def spawned(self, index: int, generation: int, pid: int) -> None:
        self.spawned_pids[index, generation] = pid

    def exited(self, pid: int, status: int) -> None:
        self.exits[pid] = status

    def mold_lost(self, status: int) -> None:
        self.losses.append(status)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def mold(told: Told) -> AsyncIterator[Mold]:
    made = Mold(told)
    made.start()
    await made.ready()
    yield made
    await made.close()


def process() -> psutil.Process:
    """The mold, once it is ready: a process has no command line yet while its program is being loaded."""
    [found] = [child for child in psutil.Process().children() if "mold" in " ".join(child.cmdline())]
    return found


async def test_a_fork_and_its_end_are_told(mold: Mold, told: Told, tmp_path: Path) -> None:
    boot = Boot(
        index=3,
        generation=7,
        cpu=None,
        segment="flux-test-nowhere",
        settings=dataclasses.replace(config.load(tmp_path, {}, {}), env={}),  # a mapping that pickles
        secrets={},
        manifest={},
    )
    with contextlib.ExitStack() as files:
        _, theirs = (files.enter_context(end) for end in socket.socketpair())
        bells = [Doorbell.create(), Doorbell.create()]
        for bell in bells:
            files.callback(bell.close)
        mold.fork(boot, [*(bell.fd for bell in bells), theirs.fileno()])
        await until(lambda: bool(told.exits))
    assert told.exits == {told.spawned_pids[3, 7]: 1}
    assert told.losses == []


async def test_a_lost_mold_is_told_once_and_another_can_be_started(mold: Mold, told: Told) -> None:
    before = process().pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: bool(told.losses))
    assert told.losses == [-signal.SIGKILL]
    mold.start()
    await asyncio.wait_for(mold.ready(), 20)
    assert process().pid != before


async def test_a_lost_mold_can_be_closed(mold: Mold, told: Told) -> None:
    os.kill(process().pid, signal.SIGKILL)
    await until(lambda: bool(told.losses))
    await mold.close()


async def test_the_mold_ends_with_its_master(told: Told) -> None:
    mold = Mold(told)
    await mold.close()  # there is none yet
    mold.start()
    await mold.ready()
    started = process()
    await mold.close()
    assert not started.is_running()
    assert told.losses == []
