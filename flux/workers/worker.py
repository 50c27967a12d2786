"""One worker's life: requests come in over shared memory, run in isolates, and leave as results and journal entries.

What to read first: `requests.py` (a request's way in), `executions.py` (what isolates say, and a result's way out).
A worker owns no socket but the one that tells it that its master is gone; then it ends at once, for what its executions
have written is already in shared memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import Final

import orjson
import psutil
import setproctitle
import uvloop

from .. import collector
from ..build.project import BUILDS_FOLDER
from ..errors import FluxError
from ..ipc.channel import Receiver, Sender
from ..ipc.doorbell import Doorbell
from ..ipc.segment import Segment
from ..ipc.wire import RequestKind, ResultKind
from ..manifest import Manifest
from ..record.execution import uuid_text
from ..store.pool import open_pool
from ..store.wire.lanes import open_lanes
from .boot import Boot, BootFiles
from .deployment import Deployment
from .executions import Executions
from .host.scope import Scope, Services
from .invocations import Invocations
from .isolates import Isolates
from .journal_writer import JournalWriter
from .requests import Requests
from .result_writer import ResultWriter
from .tasks import Tasks

log = logging.getLogger("flux.worker")

HEARTBEAT_S: Final = 1.0


class Worker:
    def __init__(self, boot: Boot, files: BootFiles) -> None:
        self.boot = boot
        self.files = files
        self.loop = asyncio.get_running_loop()
        self.segment = Segment.open(boot.segment)
        self.tasks = Tasks(self.loop, self._maybe_stop)
        sender = Sender(self.segment.results, Doorbell(files.results_bell))
        self.results = ResultWriter(sender, self.tasks)
        self.invocations = Invocations(sender)
        self.journal = JournalWriter(self.segment.journal, lambda: self.results.say(ResultKind.HURRY))
        builds = boot.settings.data / BUILDS_FOLDER
        self.executions = Executions(
            builds=builds, journal=self.journal, results=self.results, tasks=self.tasks, left=self._maybe_stop
        )
        self.isolates = Isolates(builds, self.executions.on_events)
        self.deployment = Deployment(self.isolates, self.tasks)
        self.stopping = asyncio.Event()
        self.draining = False

    async def run(self) -> None:
        self.services = await self._open_services()
        self.requests = Requests(
            services=self.services,
            deployment=self.deployment,
            isolates=self.isolates,
            executions=self.executions,
            journal=self.journal,
            results=self.results,
            tasks=self.tasks,
        )
        receiver = Receiver(self.segment.requests, Doorbell(self.files.requests_bell), self.loop, self._on_records)
        self.loop.add_reader(self.files.control, self._master_gone)
        self._deploy(Manifest.from_json(dict(self.boot.manifest)))
        self.tasks.spawn(self._learn_tables())
        receiver.start()
        collector.settle()
        self.results.say(ResultKind.READY, orjson.dumps({"pid": os.getpid(), "generation": self.boot.generation}))
        beat = self.tasks.spawn(self._heartbeat())
        self.executions.end_late()
        await self.stopping.wait()
        beat.cancel()
        receiver.stop()
        await self.services.close()
        await self.services.lanes.close()
        await self.services.pool.close()
        self.isolates.close()
        self.segment.close()

    async def _open_services(self) -> Services:
        settings = self.boot.settings
        database = settings.database
        assert database.url is not None, "the master fills in the embedded server's"
        pool = await open_pool(
            database.url,
            database.pool_size,
            statement_timeout_ms=database.statement_timeout_ms,
            min_size=0,  # a worker starts while Postgres is away, too
        )
        lanes = open_lanes(database.url, database.lanes, statement_timeout_ms=database.statement_timeout_ms)
        return Services(
            pool=pool,
            lanes=lanes,
            settings=settings,
            secrets=self.boot.secrets,
            invoke=self._invoke,
            nudge=lambda: self.results.say(ResultKind.NUDGE),
            functions=lambda: self.deployment.live,
        )

    def _on_records(self, records: list[tuple[int, bytes, bytes]]) -> None:
        for kind, tag, payload in records:
            if kind == RequestKind.REQUEST:
                try:
                    self.requests.accept(tag, payload)
                except Exception:  # a fault of ours costs this request, not the others of the batch
                    log.exception("request %s cannot be taken", uuid_text(tag))
                    self.requests.give_up(tag)
            elif kind == RequestKind.INVOKE_ANSWER:
                self.invocations.answered(tag, payload)
            elif kind == RequestKind.MANIFEST:
                self._deploy(Manifest.from_json(orjson.loads(payload)))
            elif kind == RequestKind.DRAIN:
                self.draining = True
                self._maybe_stop()

    async def _invoke(self, scope: Scope, function: str, payload: bytes) -> bytes:
        return await self.invocations.ask(scope.request_id, function, payload, tenant=scope.tenant, user=scope.user)

    def _deploy(self, manifest: Manifest) -> None:
        self.deployment.deploy(manifest)
        setproctitle.setproctitle(title(self.boot, len(self.deployment.live)))

    async def _learn_tables(self) -> None:
        """Ahead of the first request that needs them; when it fails, that request tries again and says why."""
        with contextlib.suppress(FluxError):
            await self.services.catalogue.engine(self.services)
        collector.settle()  # what reading them took goes back

    async def _heartbeat(self) -> None:
        process = psutil.Process()
        while True:
            self.isolates.sweep()
            state = {
                "in_flight": len(self.executions.in_flight),
                "isolates": self.isolates.count,
                "dropped": self.requests.dropped,
                "wedged": self.isolates.wedged,
                "rss": process.memory_info().rss,
            }
            self.results.say(ResultKind.HEARTBEAT, orjson.dumps(state))
            await asyncio.sleep(HEARTBEAT_S)

    def _maybe_stop(self) -> None:
        # One task is always there: the heartbeat.
        if self.draining and not self.executions.in_flight and len(self.tasks) <= 1:
            self.stopping.set()

    def _master_gone(self) -> None:
        os._exit(0)


def title(boot: Boot, functions: int) -> str:
    cpu = "" if boot.cpu is None else f" [cpu {boot.cpu}]"
    return f"flux: worker {boot.index}{cpu} {functions} function{'s' if functions != 1 else ''}"


def main(boot: Boot, files: BootFiles) -> int:
    """Runs in a freshly forked process; returns the exit code."""
    if boot.cpu is not None:
        os.sched_setaffinity(0, {boot.cpu})
        # V8's thread shares this CPU: woken by every message, it must not push aside the loop that has more for it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the master decides when a worker ends
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s worker %(message)s")

    async def live() -> None:
        await Worker(boot, files).run()

    uvloop.run(live())
    return 0
