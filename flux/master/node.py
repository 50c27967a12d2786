"""One running Flux: the parts of the master, connected.

    edge ─ front ─ gateway ─▶ dispatcher ─▶ lanes (workers)
                                 ▲              │ journals
               queue, replays ───┘              ▼
                                            recorder ─▶ Postgres, tail

`flux.master.serve` decides when what starts and stops; here is only who knows whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..config import Settings
from ..data.routes.check import check_routes
from ..data.schema.introspect import read_schema
from ..errors import Conflict, FluxError, NotFound
from ..ipc.wire import RequestKind, ResultKind, pack_result
from ..manifest import DataRoute, FunctionSpec, Manifest
from ..record.execution import uuid_text
from ..store import keys, policies, versions
from ..store.pool import Pool
from .api.live import Live
from .dispatcher import Dispatcher, Lane
from .gateway.auth import ApiKey
from .gateway.pipeline import Gateway
from .heads import Seeds, invoke_work, new_id, rehearsal_work, request_work
from .http.call import GatewayCall, Result
from .metrics import Metrics
from .queue.runner import QueueRunner
from .recorder import Recorder
from .refusals import Refusals
from .replays import check_replayable, replay
from .supervisor import Supervisor

JOBS_PER_WORKER = 32  # leaves most of a worker's capacity to requests that somebody waits for


class Node:
    """Everything that lives as long as the server. Made on the running loop, before anything is served."""

    def __init__(self, *, settings: Settings, secrets: Mapping[str, str], instance: str, pid: int, pool: Pool) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.pool = pool
        self.manifest = Manifest(functions={})
        self.metrics = Metrics()
        self.live = Live()
        self.recording = settings.record.mode != "off"
        self.refusals = Refusals(instance, pid, settings.record)
        self.recorder = Recorder(pool, settings, instance, self._stored)
        self.recorder.add(self.refusals.segment)
        self.dispatcher = Dispatcher(loop, settings.server.in_flight_per_worker, self._on_message)
        self.supervisor = Supervisor(
            settings,
            secrets,
            instance,
            self.dispatcher,
            lambda lane: self.recorder.add(lane.segment),
            self._lane_died,
            self.recorder.patiently,
        )
        self.queue = QueueRunner(
            pool, lambda: self.manifest, self.dispatcher.submit, JOBS_PER_WORKER * settings.server.workers
        )
        self.gateway = Gateway(settings, self.manifest, {}, loop.time)
        self._seeds = Seeds()
        self._redact = frozenset(name.lower() for name in settings.record.redact_headers)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dropped: dict[str, int] = {}
        self.draining = False
        self._measure()

    # What starts executions.

    def dispatch(self, call: GatewayCall) -> asyncio.Future[Result]:
        """Runs what the gateway let pass. A refusal of the dispatcher is recorded like one of the gateway."""
        assert call.spec is not None
        # While the body arrived, another version may have gone live, which is the one that every worker knows.
        spec = self.manifest.functions.get(call.spec.name, call.spec)
        try:
            return self.dispatcher.submit(request_work(call, spec, self._seeds.next(), self._redact))
        except FluxError as error:
            self.refused(call, error)
            raise

    def refused(self, call: GatewayCall, error: FluxError) -> None:
        if self.recording:
            self.refusals.record(call, error)

    async def invoke(
        self,
        spec: FunctionSpec,
        request_id: bytes,
        body: bytes | None,
        *,
        parent: str | None = None,
        tenant: str | None = None,
        user: Mapping[str, Any] | None = None,
    ) -> Result:
        """Runs a function as an execution of its own, whose ID is `request_id`."""
        work = invoke_work(spec, request_id, parent=parent, tenant=tenant, user=user, body=body)
        return await self.dispatcher.submit(work)

    async def rehearse(
        self, spec: FunctionSpec, body: bytes | None, *, tenant: str | None, user: Mapping[str, Any] | None
    ) -> tuple[str, Result]:
        """Runs a function without consequences: its request ID, its answer. Raises Conflict if nothing is recorded."""
        if not self.recording:
            raise Conflict('Nothing is recorded ([record] mode = "off"), so a rehearsal could not be looked at.')
        work = rehearsal_work(spec, tenant=tenant, user=user, body=body)
        return uuid_text(work.request_id), await self.dispatcher.submit(work)

    async def replay(self, recorded: dict[str, Any]) -> dict[str, Any]:
        """Runs a recorded execution (from `executions.get`) again; see `flux.master.replays.replay`."""
        check_replayable(recorded)
        spec = await self._spec_of(recorded)
        return await replay(recorded, spec, self.dispatcher.submit)

    async def _spec_of(self, recorded: Mapping[str, Any]) -> FunctionSpec:
        async with self.pool.acquire() as connection:
            spec = await versions.get(connection, recorded["code_version"], recorded["function"])
        if spec is None:
            raise NotFound(f"The code of version {recorded['code_version'][:8]} is not known here.")
        return spec

    # What is live.

    async def deploy(self, manifest: Manifest) -> None:
        """Makes these the live functions: the versions are kept first, then workers learn them, then routes switch.

        Raises ConfigError for data routes that do not fit the database.
        """
        routes = _data_routes(manifest)
        async with self.pool.acquire() as connection:
            if routes != _data_routes(self.manifest):
                schema = await read_schema(connection)
                check_routes(routes, schema, (await policies.load(connection, schema)).policies)
            await versions.save(connection, manifest.functions.values())
        plain = manifest.to_json()
        await self.supervisor.deploy(plain, orjson.dumps(plain))
        self.gateway.swap(manifest)
        self.manifest = manifest
        self.queue.nudge()

    def function(self, name: str) -> FunctionSpec:
        """Raises NotFound for a name that is not deployed."""
        spec = self.manifest.functions.get(name)
        if spec is None:
            raise NotFound(f"There is no function {name}; deployed are: {', '.join(self.manifest.functions)}.")
        return spec

    async def load_keys(self) -> None:
        """Reads the API keys that are valid now."""
        async with self.pool.acquire() as connection:
            found = await keys.load(connection)
        self.gateway.set_keys(
            {key.id: ApiKey(key.id, key.secret_sha256, key.tenant, key.name, key.role) for key in found}
        )

    # What workers say.

    def _on_message(self, lane: Lane, kind: int, tag: bytes, payload: bytes) -> None:
        if kind == ResultKind.NUDGE:
            self.queue.nudge()
        elif kind == ResultKind.HEARTBEAT:
            report = orjson.loads(payload)
            self.supervisor.heard(lane, report)
            self._count_dropped(lane, report["dropped"])
        elif kind == ResultKind.READY:
            self.supervisor.became_ready(lane)
        elif kind == ResultKind.HURRY:
            self.recorder.hurry()
        elif kind == ResultKind.INVOKE:
            self._keep(self._invoke_for(lane, tag, payload))

    async def _invoke_for(self, lane: Lane, tag: bytes, payload: bytes) -> None:
        question, _, body = payload.partition(b"\n")
        asked = orjson.loads(question)
        try:
            spec = self.function(asked["function"])
            result = await self.invoke(
                spec, new_id(), body, parent=asked["parent"], tenant=asked["tenant"], user=asked["user"]
            )
            parts = pack_result(result.status, b"", result.body)
        except FluxError as error:
            parts = pack_result(error.status, b"", orjson.dumps(error.body(None)))
        await lane.requests.send_all(RequestKind.INVOKE_ANSWER, tag, b"".join(parts))

    async def _lane_died(self, lane: Lane) -> None:
        if lane.accepting:  # not drained: the supervisor replaces it
            self.metrics.respawns.add()
        failed = self.dispatcher.lost(lane)
        self._dropped.pop(lane.segment.name, None)
        await self.recorder.close(lane.segment, failed if self.recording else [])

    def _stored(self, rows: Sequence[bytes]) -> None:
        self.metrics.records_stored.add(by=len(rows))
        self.live.publish(rows)

    def _count_dropped(self, lane: Lane, dropped: int) -> None:
        before = self._dropped.get(lane.segment.name, 0)
        self._dropped[lane.segment.name] = dropped
        self.metrics.records_dropped.add(by=dropped - before)

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("in_flight", "Requests that workers have now.", lambda: self.dispatcher.in_flight)
        gauge("workers_ready", "Workers that take requests.", self.ready_workers)
        gauge("jobs_in_flight", "Jobs that run now.", lambda: self.queue.in_flight)
        gauge("ring_fill", "The fullest journal ring, 0 to 1.", lambda: self.recorder.fill)
        gauge("refusals_unrecorded", "Refused requests without a record.", lambda: self.refusals.dropped)
        gauge("record_waiting_seconds", "How long Postgres has not taken records.", self.recorder.waiting_s)

    def ready_workers(self) -> int:
        return sum(lane.accepting for lane in self.dispatcher.lanes)


def _data_routes(manifest: Manifest) -> list[DataRoute]:
    return [spec.data for spec in manifest.functions.values() if spec.data is not None]
