"""One worker's life: requests come in over shared memory, run in isolates, and leave as results and journal entries.

What to read first: `_accept` (a request's way in), `_on_events` (what isolates say), `_ended` (a result's way out).
A worker owns no socket but the one that tells it that its master is gone; then it ends at once, for what its executions
have written is already in shared memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import orjson
import psutil
import setproctitle
import uvloop

from .. import collector
from ..build.project import BUILDS_FOLDER
from ..build.sourcemap import Frame, frames, map_of, map_stack
from ..errors import FluxError, NotFound, RecordBacklog, RouteNotFound, Timeout
from ..ipc.channel import Receiver, Sender
from ..ipc.doorbell import Doorbell
from ..ipc.segment import Segment
from ..ipc.wire import JournalKind, RequestKind, ResultKind, pack_result, unpack_request
from ..manifest import FunctionSpec, Manifest
from ..record.execution import uuid_text
from ..record.head import unpack
from ..record.javascript import loads
from ..record.journal import quote
from ..record.seal import Seal, seal_key
from ..replay.recorded import RecordedHost, recorded_calls
from ..store.pool import open_pool
from ..store.wire.lanes import open_lanes
from .boot import Boot, BootFiles
from .data_run import DataRun
from .events import deliver
from .execution import Execution, Runtime
from .failure import describe
from .host.scope import Scope, Services
from .invocations import Invocations
from .isolate.isolate import Event, ModuleFailed
from .isolate.protocol import Loaded
from .isolates import Isolates
from .journal_writer import JournalWriter
from .live import LiveHost

log = logging.getLogger("flux.worker")

HEARTBEAT_S: Final = 1.0
LATE_S: Final = 0.02  # how late a time limit may strike
PREWARMED: Final = 32  # isolates opened ahead for a new manifest; further ones open at their first request
Private = dict[str, Any]  # what comes with a request and is not recorded: real headers, the record to replay from
NOBODY: Final = bytes(16)


class Worker:
    def __init__(self, boot: Boot, files: BootFiles) -> None:
        self.boot = boot
        self.files = files
        self.settings = boot.settings
        self.loop = asyncio.get_running_loop()
        self.segment = Segment.open(boot.segment)
        self.results = Sender(self.segment.results, Doorbell(files.results_bell))
        self.journal = JournalWriter(self.segment.journal)
        self.builds = self.settings.data / BUILDS_FOLDER
        self.isolates = Isolates(self.builds, self._on_events)
        self.invocations = Invocations(self.results)
        self.executions: dict[int, Execution] = {}
        self.live: Mapping[str, FunctionSpec] = {}
        self.specs: dict[tuple[str, str], FunctionSpec] = {}
        self.env = orjson.dumps(dict(self.settings.env))
        self.recording = self.settings.record.mode != "off"
        self.seal = Seal(seal_key(self.settings.data))
        self.strict = self.settings.record.mode == "strict"
        self.dropped = 0
        self.stopping = asyncio.Event()
        self.draining = False
        self._numbers = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        url = self.settings.database.url
        assert url is not None, "the master fills in the embedded server's"
        pool = await open_pool(
            url,
            self.settings.database.pool_size,
            statement_timeout_ms=self.settings.database.statement_timeout_ms,
            min_size=0,  # a worker starts while Postgres is away, too
        )
        lanes = open_lanes(
            url, self.settings.database.lanes, statement_timeout_ms=self.settings.database.statement_timeout_ms
        )
        self.services = Services(
            pool=pool,
            lanes=lanes,
            settings=self.settings,
            secrets=self.boot.secrets,
            invoke=self._invoke,
            nudge=lambda: self._say(ResultKind.NUDGE),
            functions=lambda: self.live,
        )
        receiver = Receiver(self.segment.requests, Doorbell(self.files.requests_bell), self.loop, self._on_records)
        self.loop.add_reader(self.files.control, self._master_gone)
        self._deploy(Manifest.from_json(dict(self.boot.manifest)))
        self.spawn(self._learn_tables())
        receiver.start()
        collector.settle()
        self._say(ResultKind.READY, orjson.dumps({"pid": os.getpid(), "generation": self.boot.generation}))
        beat = self.spawn(self._heartbeat())
        self._end_late()
        await self.stopping.wait()
        beat.cancel()
        receiver.stop()
        await self.services.close()
        await lanes.close()
        await pool.close()
        self.isolates.close()
        self.segment.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that is kept until it ends."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._maybe_stop()

    # In.

    def _on_records(self, records: list[tuple[int, bytes, bytes]]) -> None:
        for kind, tag, payload in records:
            if kind == RequestKind.REQUEST:
                try:
                    self._accept(tag, payload)
                except Exception:  # a fault of ours costs this request, not the others of the batch
                    log.exception("request %s cannot be taken", uuid_text(tag))
                    self._give_up(tag)
            elif kind == RequestKind.INVOKE_ANSWER:
                self.invocations.answered(tag, payload)
            elif kind == RequestKind.MANIFEST:
                self._deploy(Manifest.from_json(orjson.loads(payload)))
            elif kind == RequestKind.DRAIN:
                self.draining = True
                self._maybe_stop()

    def _give_up(self, request_id: bytes) -> None:
        execution = self.executions.get(self._numbers)
        if execution is not None and execution.request_id == request_id:
            execution.fail_with(FluxError())
        else:
            self._answer(request_id, FluxError.status, b"", orjson.dumps(FluxError().body(uuid_text(request_id))))

    def _accept(self, request_id: bytes, payload: bytes) -> None:
        packed, secret, body = unpack_request(payload)
        head, _ = unpack(packed)
        self._numbers += 1
        execution = Execution(
            number=self._numbers,
            request_id=request_id,
            head=head,
            body=body,
            cap=self.settings.record.body_bytes,
            seal=self.seal,
            write=self._writer(request_id),
            ended=self._ended,
        )
        self.executions[execution.number] = execution
        if self.recording and not self._begin(execution, packed):
            return
        private: Private = loads(secret) if secret else {}
        spec = self.specs.get((head.function, head.version)) or spec_of(private)
        isolate = self._ready(execution, spec) if spec else None
        if isolate is not None and spec is not None:
            self._start(execution, spec, isolate, private, body)
        else:
            self.spawn(self._open_and_start(execution, spec, private, body))

    def _ready(self, execution: Execution, spec: FunctionSpec) -> Runtime | None:
        if spec.data is None:
            return self.isolates.ready(spec)
        return DataRun(
            spec.data,
            execution.head.route,
            limit=spec.limits.message_bytes,
            on_events=self._on_events,
            loop=self.loop,
        )

    def _begin(self, execution: Execution, packed: bytes) -> bool:
        """Writes the first journal entry; False when the request was refused because there is no room for a record."""
        if self.journal.congested:
            if self.strict:
                execution.unrecorded()
                execution.fail_with(RecordBacklog())
                return False
            self.dropped += 1
            execution.unrecorded()
            return True
        self.journal.write(JournalKind.BEGIN, execution.request_id, packed, b"\n", execution.body or b"")
        return True

    async def _open_and_start(
        self, execution: Execution, spec: FunctionSpec | None, private: Private, body: bytes | None
    ) -> None:
        try:
            if spec is None:
                raise RouteNotFound(f"The function {execution.head.function} is no longer deployed.")
            isolate = await self.isolates.open(spec, deployed=(spec.name, spec.version) in self.specs)
        except ModuleFailed as failed:
            execution.fail(describe(orjson.loads(failed.payload), self._frames(execution.head.version)))
        except FluxError as error:
            execution.fail_with(error)
        else:
            self._start(execution, spec, isolate, private, body)

    def _start(
        self, execution: Execution, spec: FunctionSpec, isolate: Runtime, private: Private, body: bytes | None
    ) -> None:
        head = execution.head
        calls = private.get("calls")
        host: LiveHost | RecordedHost
        if calls is None:
            scope = Scope(
                services=self.services,
                spec=spec,
                request_id=execution.request_id,
                tenant=head.tenant,
                user=head.user,
                traceparent=head.traceparent,
            )
            host = LiveHost(execution, scope)
        else:
            host = RecordedHost(execution, recorded_calls(calls, self.seal), self.boot.secrets, self.loop)
        request = head.request
        if "headers" in private:  # some are secret, and redacted in the head
            request = orjson.dumps({**orjson.loads(request), "headers": private["headers"]})
        execution.start(
            isolate,
            host,
            clock_us=private.get("clock_us") or head.started_us,
            wall_ms=spec.limits.wall_ms,
            body=body,
            request=request,
            context=self._context(execution, private, replay=calls is not None),
        )

    def _context(self, execution: Execution, private: Private, *, replay: bool) -> bytes:
        """What `ctx` holds from the start, as JSON."""
        request_id = private.get("request_id") or uuid_text(execution.request_id)
        tenant = quote(execution.head.tenant) if execution.head.tenant else b"null"
        return b'{"requestId":"%b","functionName":%b,"tenant":%b,"user":%b,"replay":%b,"env":%b}' % (
            request_id.encode(),
            quote(execution.head.function),
            tenant,
            orjson.dumps(user) if (user := execution.head.user) else b"null",
            b"true" if replay else b"false",
            self.env,
        )

    # What isolates say.

    def _on_events(self, events: list[Event]) -> None:
        executions = self.executions
        for event in events:
            if isinstance(event, Loaded):  # the isolate keeps these to itself
                continue
            execution = executions.get(event.execution)
            if execution is not None and not execution.over:
                try:
                    deliver(event, execution, self._frames)
                except Exception:  # as above
                    log.exception("execution %s failed inside Flux", uuid_text(execution.request_id))
                    execution.fail_with(FluxError())

    def _frames(self, version: str) -> Callable[[str], list[Frame]]:
        # What has no stack comes from no code, as in a data route, which has no map either.
        return lambda stack: frames(map_stack(stack, map_of(self.builds, version))) if stack else []

    # Out.

    def _ended(self, execution: Execution, status: int, headers: bytes, body: bytes, row: bytes | None) -> None:
        del self.executions[execution.number]
        in_ring = row is None or self.journal.write(JournalKind.END, execution.request_id, row)
        if in_ring:
            self._answer(execution.request_id, status, headers, body)
        else:
            self.spawn(self._answer_later(execution.request_id, status, headers, body))
        host, execution.host = execution.host, None  # they refer to each other: garbage that only a scan would find
        if host is not None and not host.holds_nothing:
            self.spawn(host.close())
        self._maybe_stop()

    async def _answer_later(self, request_id: bytes, status: int, headers: bytes, body: bytes) -> None:
        await self.journal.flushed()
        self._answer(request_id, status, headers, body)

    def _answer(self, request_id: bytes, status: int, headers: bytes, body: bytes) -> None:
        parts = pack_result(status, headers, body)
        if not self.results.send(ResultKind.RESULT, request_id, *parts):
            self.spawn(self.results.send_all(ResultKind.RESULT, request_id, b"".join(parts)))

    def _say(self, kind: ResultKind, payload: bytes = b"") -> None:
        if not self.results.send(kind, NOBODY, payload):
            self.spawn(self.results.send_all(kind, NOBODY, payload))

    async def _invoke(self, scope: Scope, function: str, payload: bytes) -> bytes:
        return await self.invocations.ask(scope.request_id, function, payload, tenant=scope.tenant, user=scope.user)

    def _writer(self, request_id: bytes) -> Any:
        if not self.recording:
            return None
        write = self.journal.write
        return lambda entry: write(JournalKind.CALL, request_id, entry)

    # Life.

    def _deploy(self, manifest: Manifest) -> None:
        # The versions before stay known: the master may have chosen one just before it heard of the new ones.
        self.specs = {(spec.name, spec.version): spec for spec in (*self.live.values(), *manifest.functions.values())}
        self.live = manifest.functions
        self.isolates.keep(frozenset(spec.version for spec in self.live.values()))
        setproctitle.setproctitle(title(self.boot, len(self.live)))
        for spec in [spec for spec in manifest.functions.values() if spec.data is None][:PREWARMED]:
            self.spawn(self._warm(spec))

    async def _warm(self, spec: FunctionSpec) -> None:
        try:
            await self.isolates.open(spec)
        except (ModuleFailed, NotFound) as error:
            log.warning("function %s does not start: %s", spec.name, error)

    def _end_late(self) -> None:
        """Ends executions whose time is over. One timer for all: a timer for each costs more than it is worth."""
        now_us = time.monotonic_ns() // 1000
        for execution in [late for late in self.executions.values() if late.out_of_time(now_us)]:
            execution.fail_with(Timeout())
        self.loop.call_later(LATE_S, self._end_late)

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
                "in_flight": len(self.executions),
                "isolates": self.isolates.count,
                "dropped": self.dropped,
                "wedged": self.isolates.wedged,
                "rss": process.memory_info().rss,
            }
            self._say(ResultKind.HEARTBEAT, orjson.dumps(state))
            await asyncio.sleep(HEARTBEAT_S)

    def _maybe_stop(self) -> None:
        if self.draining and not self.executions and not self._tasks_pending():
            self.stopping.set()

    def _tasks_pending(self) -> bool:
        return len(self._tasks) > 1  # the heartbeat is always there

    def _master_gone(self) -> None:
        os._exit(0)


def spec_of(private: Private) -> FunctionSpec | None:
    """A replay brings the specification of the version that it is to run, which may not be deployed any more."""
    return FunctionSpec.from_json(private["spec"]) if "spec" in private else None


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
