"""A request's way into one worker: what came over shared memory becomes an execution that runs.

What to read first: `accept`. With the function's isolate open, the execution starts at once; else it waits for that.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from ..errors import FluxError, RecordBacklog, RouteNotFound
from ..ipc.wire import JournalKind, unpack_request
from ..manifest import FunctionSpec
from ..record.execution import uuid_text
from ..record.head import unpack
from ..record.javascript import loads
from ..record.journal import quote
from ..record.seal import Seal, seal_key
from ..replay.recorded import RecordedHost, recorded_calls
from .data_run import DataRun
from .deployment import Deployment
from .execution import Execution, Runtime
from .executions import Executions
from .failure import describe
from .host.registry import perform
from .host.rehearsal import Rehearsal
from .host.scope import Scope, Services
from .isolate.isolate import ModuleFailed
from .isolates import Isolates
from .journal_writer import JournalWriter
from .live import LiveHost
from .result_writer import ResultWriter
from .tasks import Tasks

Private = dict[str, Any]  # what comes with a request and is not recorded: real headers, the record to replay from


class Requests:
    """`dropped` counts the executions that ran without a record because there was no room for one."""

    def __init__(
        self,
        *,
        services: Services,
        deployment: Deployment,
        isolates: Isolates,
        executions: Executions,
        journal: JournalWriter,
        results: ResultWriter,
        tasks: Tasks,
    ) -> None:
        self.dropped = 0
        self._services = services
        self._deployment = deployment
        self._isolates = isolates
        self._executions = executions
        self._journal = journal
        self._results = results
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        settings = services.settings
        self._body_bytes = settings.record.body_bytes
        self._env = orjson.dumps(dict(settings.env))
        self._recording = settings.record.mode != "off"
        self._seal = Seal(seal_key(settings.data))
        self._strict = settings.record.mode == "strict"
        self._numbers = 0

    def accept(self, request_id: bytes, payload: bytes) -> None:
        """Begins an execution. When this raises, nobody answers the request: see `give_up`."""
        packed, secret, body = unpack_request(payload)
        head, _ = unpack(packed)
        self._numbers += 1
        execution = Execution(
            number=self._numbers,
            request_id=request_id,
            head=head,
            body=body,
            cap=self._body_bytes,
            seal=self._seal,
            write=self._writer(request_id),
            ended=self._executions.ended,
        )
        self._executions.in_flight[execution.number] = execution
        if self._recording and not self._begin(execution, packed):
            return
        private: Private = loads(secret) if secret else {}
        spec = self._deployment.specs.get((head.function, head.version)) or spec_of(private)
        isolate = self._ready(execution, spec) if spec else None
        if isolate is not None and spec is not None:
            self._start(execution, spec, isolate, private, body)
        else:
            self._tasks.spawn(self._open_and_start(execution, spec, private, body))

    def give_up(self, request_id: bytes) -> None:
        """Answers the request whose `accept` has just failed."""
        execution = self._executions.in_flight.get(self._numbers)
        if execution is not None and execution.request_id == request_id:
            execution.fail_with(FluxError())
        else:
            error = FluxError()
            self._results.answer(request_id, error.status, b"", orjson.dumps(error.body(uuid_text(request_id))))

    def _writer(self, request_id: bytes) -> Any:
        if not self._recording:
            return None
        write = self._journal.write
        return lambda entry: write(JournalKind.ENTRY, request_id, entry)

    def _begin(self, execution: Execution, packed: bytes) -> bool:
        """Writes the first journal entry; False when the request was refused because there is no room for a record."""
        if not self._journal.admits():
            if self._strict:
                execution.unrecorded()
                execution.fail_with(RecordBacklog())
                return False
            self.dropped += 1
            execution.unrecorded()
            return True
        self._journal.write(JournalKind.BEGIN, execution.request_id, packed, b"\n", execution.body or b"")
        return True

    def _ready(self, execution: Execution, spec: FunctionSpec) -> Runtime | None:
        if spec.data is None:
            return self._isolates.ready(spec)
        return DataRun(
            spec.data,
            execution.head.route,
            limit=spec.limits.message_bytes,
            on_events=self._executions.on_events,
            loop=self._loop,
        )

    async def _open_and_start(
        self, execution: Execution, spec: FunctionSpec | None, private: Private, body: bytes | None
    ) -> None:
        try:
            if spec is None:
                raise RouteNotFound(f"The function {execution.head.function} is no longer deployed.")
            isolate = await self._isolates.open(spec, deployed=(spec.name, spec.version) in self._deployment.specs)
        except ModuleFailed as failed:
            execution.fail(describe(orjson.loads(failed.payload), self._executions.frames(execution.head.version)))
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
                services=self._services,
                spec=spec,
                request_id=execution.request_id,
                tenant=head.tenant,
                user=head.user,
                traceparent=head.traceparent,
            )
            host = LiveHost(execution, scope, Rehearsal().perform if "rehearsal" in private else perform)
        else:
            host = RecordedHost(execution, recorded_calls(calls, self._seal), self._services.secrets, self._loop)
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
            self._env,
        )


def spec_of(private: Private) -> FunctionSpec | None:
    """A replay brings the specification of the version that it is to run, which may not be deployed any more."""
    return FunctionSpec.from_json(private["spec"]) if "spec" in private else None
