"""Owns the processes: one mold, N workers forked from it, each watched, replaced and drained.

A worker's life is a table (`worker_process.py`). A dead worker that was not draining is replaced at once. One that dies
before it was ready, or soon after, counts as a failed start, and replacements wait longer and longer (`breaker.py`).
SIGKILL does not count: it comes from outside (an operator, the kernel short of memory) and says nothing about what the
worker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..config import Settings
from ..errors import LocalError
from ..ipc.channel import Sender
from ..ipc.doorbell import Doorbell
from ..ipc.segment import Segment
from ..ipc.wire import RequestKind
from ..workers.boot import Boot
from .breaker import BREAKER, Breaker, delay_s
from .dispatcher import Dispatcher, Lane
from .mold import Mold
from .worker_process import HEARTBEAT_LIMIT_S, LIVING, READY_LIMIT_S, WorkerProcess, exit_text

log = logging.getLogger("flux.supervisor")

REQUEST_RING_BYTES = 4 * 1024 * 1024  # holds a few of the largest bodies, and thousands of common requests
RESULT_RING_BYTES = 4 * 1024 * 1024


class Supervisor:
    """`on_spawn(lane)` and `on_death(lane)` tell the recorder; the second returns when the lane's record is stored.

    `patiently` waits for such storing while Postgres takes it.
    """

    def __init__(
        self,
        settings: Settings,
        secrets: Mapping[str, str],
        instance: str,
        dispatcher: Dispatcher,
        on_spawn: Callable[[Lane], None],
        on_death: Callable[[Lane], Awaitable[None]],
        patiently: Callable[[set[asyncio.Task[None]]], Awaitable[bool]],
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._instance = instance
        self._dispatcher = dispatcher
        self._on_spawn = on_spawn
        self._on_death = on_death
        self._patiently = patiently
        self._loop = asyncio.get_running_loop()
        self._manifest: Mapping[str, Any] = {}
        self._workers: list[WorkerProcess] = []
        self._by_pid: dict[int, WorkerProcess] = {}
        self._spawning: dict[tuple[int, int], WorkerProcess] = {}
        self._breaker = Breaker()
        self._generation = 0
        self._stopping = False
        self._mold = Mold(self)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self.respawns = 0

    @property
    def workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.state != "dead"]

    async def start(self, manifest: Mapping[str, Any]) -> None:
        """Starts the mold and all workers; returns when every worker is ready. Raises LocalError when none is."""
        self._manifest = manifest
        self._mold.start()
        workers = [await self._spawn(index) for index in range(1, self._settings.server.workers + 1)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_LIMIT_S):
                for worker in workers:
                    await worker.ready.wait()
        if not any(worker.state == "ready" for worker in self._workers):
            raise LocalError("No worker starts; the lines above say why.")
        self._keep(self._watch_heartbeats())

    async def deploy(self, manifest: Mapping[str, Any], text: bytes) -> None:
        """Tells all workers which functions are live; `text` is the manifest as JSON. What is sent later, they know."""
        self._manifest = manifest
        telling = (worker.lane.requests.send_all(RequestKind.MANIFEST, bytes(16), text) for worker in self.workers)
        with contextlib.suppress(TimeoutError):  # whoever takes nothing for so long is about to be replaced
            async with asyncio.timeout(HEARTBEAT_LIMIT_S):
                await asyncio.gather(*telling)

    async def reload(self) -> None:
        """Replaces every worker, one after the other: the new one is ready before the old one drains."""
        for old in [worker for worker in self.workers if worker.state == "ready"]:
            new = await self._spawn(old.index)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_LIMIT_S):
                    await new.ready.wait()
            if new.state != "ready" and old.state == "ready":
                log.error("worker %d does not start; the old one goes on", new.index)
                new.kill()
                return
            await self._drain(old)

    async def stop(self) -> None:
        """Drains all workers, within `server.drain_s`, then ends the mold.

        What Postgres does not take stays in shared memory, for the next start.
        """
        self._stopping = True
        await asyncio.gather(*(self._drain(worker) for worker in self.workers))
        await self._patiently(self._burials)
        for task in [*self._tasks, *self._burials]:
            task.cancel()
        await self._mold.close()

    def became_ready(self, lane: Lane) -> None:
        worker = self._of(lane)
        if worker is None or worker.state != "starting":
            return
        worker.state = "ready"
        worker.ready_at = worker.heard_at = time.monotonic()
        self._dispatcher.ready(lane)
        worker.ready.set()

    def heard(self, lane: Lane, report: Mapping[str, Any]) -> None:
        worker = self._of(lane)
        if worker is not None:
            worker.heard_at = time.monotonic()
            worker.report = report
            if report.get("wedged"):
                log.error("worker %d has an isolate that does not stop; it is replaced", worker.index)
                worker.kill()

    def spawned(self, index: int, generation: int, pid: int) -> None:
        worker = self._spawning.pop((index, generation))
        worker.pid = pid
        self._by_pid[pid] = worker

    def exited(self, pid: int, status: int) -> None:
        dead = self._by_pid.pop(pid, None)
        if dead is not None:
            self._keep(self._died(dead, status))

    def mold_lost(self, status: int) -> None:
        """Its workers live on, unwatched; they are replaced by ones of a new mold."""
        if self._stopping:
            return
        log.error("the mold died (%s); starting another", status)
        orphans = [*self._by_pid.values(), *self._spawning.values()]
        self._by_pid.clear()
        self._spawning.clear()
        self._mold.start()
        for worker in orphans:
            worker.kill()
            self._keep(self._died(worker, -signal.SIGKILL))

    async def _spawn(self, index: int) -> WorkerProcess:
        await self._mold.ready()
        self._generation += 1
        segment = Segment.create(
            f"flux-{self._instance}-{index}-{os.getpid()}-{self._generation}",
            request_bytes=REQUEST_RING_BYTES,
            result_bytes=RESULT_RING_BYTES,
            journal_bytes=self._settings.record.ring_bytes,
        )
        requests_bell, results_bell = Doorbell.create(), Doorbell.create()
        ours, theirs = socket.socketpair()
        lane = Lane(
            index, self._generation, segment, Sender(segment.requests, requests_bell), requests_bell, results_bell
        )
        worker = WorkerProcess(index, self._generation, lane, ours, heard_at=time.monotonic())
        boot = Boot(
            index=index,
            generation=self._generation,
            cpu=pinned_cpu(index) if self._settings.server.pin else None,
            segment=segment.name,
            settings=dataclasses.replace(self._settings, env=dict(self._settings.env)),  # a mapping that pickles
            secrets=self._secrets,
            manifest=self._manifest,
        )
        self._spawning[index, self._generation] = worker
        self._workers.append(worker)
        self._dispatcher.attach(lane)
        self._on_spawn(lane)
        self._mold.fork(boot, [requests_bell.fd, results_bell.fd, theirs.fileno()])
        theirs.close()
        return worker

    async def _drain(self, worker: WorkerProcess) -> None:
        if worker.state == "dead":
            return
        worker.state = "draining"
        self._dispatcher.close(worker.lane)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.server.drain_s):
                await worker.lane.requests.send_all(RequestKind.DRAIN, bytes(16), b"")
                await worker.gone.wait()
        if not worker.gone.is_set():
            log.warning("worker %d did not drain in %g s; killed", worker.index, self._settings.server.drain_s)
            worker.kill()
            await worker.gone.wait()

    async def _died(self, worker: WorkerProcess, status: int) -> None:
        expected = worker.state == "draining"
        young = worker.young(time.monotonic())
        worker.state = "dead"
        worker.ready.set()
        self._workers.remove(worker)
        worker.control.close()
        if not expected:
            log.error("worker %d (pid %d) died: %s", worker.index, worker.pid, exit_text(status))
        if not expected and not self._stopping:
            self._keep(self._replace(worker.index, young and status != -signal.SIGKILL))
        worker.gone.set()
        self._burials.add(burial := self._loop.create_task(self._bury(worker)))
        burial.add_done_callback(self._burials.discard)

    async def _bury(self, worker: WorkerProcess) -> None:
        """Removes the worker's shared memory, once what it wrote there is stored."""
        await self._on_death(worker.lane)
        worker.lane.segment.close()
        worker.lane.segment.unlink()
        worker.lane.requests_bell.close()
        worker.lane.results_bell.close()

    async def _replace(self, index: int, young: bool) -> None:
        failures = self._breaker.died(index, failed_start=young)
        pause = delay_s(failures)
        if failures >= BREAKER:
            log.critical("worker %d failed %d times in a row; next try in %g s", index, failures, pause)
        if pause:
            await asyncio.sleep(pause)
        await self._mold.ready()  # before the look around: `_spawn` must not have to wait after it
        if self._stopping or any(worker.index == index and worker.state in LIVING for worker in self._workers):
            return  # in a reload, each of the two is the other's replacement
        self.respawns += 1
        await self._spawn(index)

    async def _watch_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for worker in self.workers:
                if worker.silent(now):
                    log.error("worker %d has been silent for %.0f s; killed", worker.index, now - worker.heard_at)
                    worker.kill()

    def _of(self, lane: Lane) -> WorkerProcess | None:
        return next((worker for worker in self._workers if worker.lane is lane), None)

    def _keep(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def pinned_cpu(index: int) -> int:
    """The CPU of worker `index` (from 1): the last first, so that the master's share of the first one stays free."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[-((index - 1) % len(cpus)) - 1]
