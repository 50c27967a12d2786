"""Owns the processes: one mold, N workers forked from it, each watched, replaced and drained.

A worker's life, as a table:

    state       next        when
    starting    ready       its READY came over the results ring
    ready       draining    a rolling reload replaced it, or the server stops
    any         dead        the mold reported its exit (or it was killed for a missed heartbeat)

A dead worker that was not draining is replaced at once. One that dies before it was ready, or within `YOUNG_S` of it,
counts as a failed start: replacements then wait with growing delays, and after `BREAKER` failures in a row the index is
given up for `BREAKER_PAUSE_S`, because a loop of crashes helps nobody and hides its reason. SIGKILL does not count: it
comes from outside (an operator, the kernel short of memory) and says nothing about what the worker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from ..config import Settings
from ..errors import LocalError
from ..ipc.channel import Sender
from ..ipc.doorbell import Doorbell
from ..ipc.segment import Segment
from ..ipc.wire import RequestKind
from ..workers.boot import Boot
from ..workers.mold import MAX_PACKET
from .dispatcher import Dispatcher, Lane

log = logging.getLogger("flux.supervisor")

REQUEST_RING_BYTES = 4 * 1024 * 1024  # holds a few of the largest bodies, and thousands of common requests
RESULT_RING_BYTES = 4 * 1024 * 1024
HEARTBEAT_LIMIT_S = 15.0  # a worker's loop that is silent for so long does not serve anybody
YOUNG_S = 1.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
BREAKER, BREAKER_PAUSE_S = 10, 60.0
READY_LIMIT_S = 30.0

State = Literal["starting", "ready", "draining", "dead"]
LIVING: frozenset[State] = frozenset(("starting", "ready"))


@dataclasses.dataclass(slots=True, eq=False)
class WorkerProcess:
    index: int
    generation: int
    lane: Lane
    control: socket.socket
    pid: int = 0
    state: State = "starting"
    ready_at: float = 0.0
    heard_at: float = 0.0
    report: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ready: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)  # or dead before it was
    gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


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
        self._failures: dict[int, int] = {}
        self._generation = 0
        self._stopping = False
        self._mold: subprocess.Popen[bytes] | None = None
        self._mold_socket: socket.socket | None = None
        self._mold_ready = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self.respawns = 0

    @property
    def workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.state != "dead"]

    async def start(self, manifest: Mapping[str, Any]) -> None:
        """Starts the mold and all workers; returns when every worker is ready. Raises LocalError when none is."""
        self._manifest = manifest
        self._start_mold()
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
                self.kill(new)
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
        if self._mold_socket is not None:
            self._loop.remove_reader(self._mold_socket)
            self._mold_socket.close()
        if self._mold is not None:
            await asyncio.to_thread(self._mold.wait)

    def kill(self, worker: WorkerProcess) -> None:
        if not worker.pid:  # not forked yet; and 0 would mean this process and all its group
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

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
                self.kill(worker)

    # Processes.

    def _start_mold(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_PACKET)
        ours.setblocking(False)
        # A session of its own: what the terminal sends to the group is for the master to act on.
        self._mold = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", "flux.workers.mold", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._mold_socket = ours
        self._mold_ready.clear()
        self._loop.add_reader(ours, self._on_mold)

    def _on_mold(self) -> None:
        assert self._mold_socket is not None
        try:
            packet = self._mold_socket.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packet = b""
        if not packet:
            self._mold_lost()
            return
        message = pickle.loads(packet)  # noqa: S301  from our own mold, over a nameless socket
        if "mold" in message:
            self._mold_ready.set()
        elif "spawned" in message:
            worker = self._spawning.pop((message["index"], message["generation"]))
            worker.pid = message["spawned"]
            self._by_pid[worker.pid] = worker
        elif "exited" in message:
            dead = self._by_pid.pop(message["exited"], None)
            if dead is not None:
                self._keep(self._died(dead, message["status"]))

    def _mold_lost(self) -> None:
        """Its workers live on, unwatched; they are replaced by ones of a new mold."""
        assert self._mold_socket is not None
        assert self._mold is not None
        self._loop.remove_reader(self._mold_socket)
        self._mold_socket.close()
        self._mold.wait()
        if self._stopping:
            return
        log.error("the mold died (%s); starting another", self._mold.returncode)
        orphans = [*self._by_pid.values(), *self._spawning.values()]
        self._by_pid.clear()
        self._spawning.clear()
        self._start_mold()
        for worker in orphans:
            self.kill(worker)
            self._keep(self._died(worker, -signal.SIGKILL))

    async def _spawn(self, index: int) -> WorkerProcess:
        await self._mold_ready.wait()
        assert self._mold_socket is not None
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
        socket.send_fds(self._mold_socket, [pickle.dumps(boot)], [requests_bell.fd, results_bell.fd, theirs.fileno()])
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
            self.kill(worker)
            await worker.gone.wait()

    async def _died(self, worker: WorkerProcess, status: int) -> None:
        expected = worker.state == "draining"
        young = worker.state == "starting" or time.monotonic() - worker.ready_at < YOUNG_S
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
        failures = self._failures[index] = self._failures.get(index, 0) + 1 if young else 0
        if failures >= BREAKER:
            log.critical("worker %d failed %d times in a row; next try in %g s", index, failures, BREAKER_PAUSE_S)
            await asyncio.sleep(BREAKER_PAUSE_S)
        elif failures > 1:
            await asyncio.sleep(min(FIRST_DELAY_S * 2 ** (failures - 2), LONGEST_DELAY_S))
        await self._mold_ready.wait()  # before the look around: `_spawn` must not have to wait after it
        if self._stopping or any(worker.index == index and worker.state in LIVING for worker in self._workers):
            return  # in a reload, each of the two is the other's replacement
        self.respawns += 1
        await self._spawn(index)

    async def _watch_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for worker in self.workers:
                limit = HEARTBEAT_LIMIT_S if worker.state == "ready" else READY_LIMIT_S
                if worker.pid and worker.state in LIVING and now - worker.heard_at > limit:
                    log.error("worker %d has been silent for %.0f s; killed", worker.index, now - worker.heard_at)
                    self.kill(worker)

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


def exit_text(status: int) -> str:
    return f"exit code {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
