"""A request's way through a worker: into an isolate, out as a row in the journal and a result."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from flux import config
from flux.build.store import Build, save
from flux.ipc.channel import Sender
from flux.ipc.segment import Segment
from flux.ipc.wire import JournalKind, ResultKind, pack_request, unpack_result
from flux.manifest import FunctionSpec, Limits, Manifest
from flux.record.javascript import dumps
from flux.workers.deployment import Deployment
from flux.workers.executions import Executions
from flux.workers.host.scope import Services
from flux.workers.isolates import Isolates
from flux.workers.journal_writer import RESERVE_SHARE, JournalWriter
from flux.workers.requests import Requests
from flux.workers.result_writer import ResultWriter
from flux.workers.tasks import Tasks
from tests.unit.record.samples import head

from .isolate.harness import PATIENCE_S, SEED, function

RING_BYTES = 256 * 1024
MAPLESS = b'{"version":3,"sources":[],"names":[],"mappings":""}'


class Served:
    """What a worker is made of, but its life; the test is the master at the other end of the rings."""

    def __init__(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.segment = Segment.create(
            f"flux-test-{uuid.uuid4().hex[:12]}",
            request_bytes=RING_BYTES,
            result_bytes=RING_BYTES,
            journal_bytes=RING_BYTES,
        )
        settings = replace(config.load(folder, overrides, {}), data=folder)
        self.builds = folder / "builds"
        self.left = 0
        self.hurries = 0
        self.journal = JournalWriter(self.segment.journal, self._hurry)
        tasks = Tasks(asyncio.get_running_loop(), lambda: None)
        results = ResultWriter(Sender(self.segment.results, None), tasks)
        self.executions = Executions(
            builds=self.builds, journal=self.journal, results=results, tasks=tasks, left=self._count
        )
        self.isolates = Isolates(self.builds, self.executions.on_events)
        self.deployment = Deployment(self.isolates, tasks)
        nowhere = cast(Any, None)  # there is no database, and nothing here asks for one
        self.requests = Requests(
            services=Services(
                pool=nowhere,
                lanes=nowhere,
                settings=settings,
                secrets={},
                functions=lambda: self.deployment.live,
                invoke=nowhere,
                nudge=lambda: None,
            ),
            deployment=self.deployment,
            isolates=self.isolates,
            executions=self.executions,
            journal=self.journal,
            results=results,
            tasks=tasks,
        )

    def deploy(self, name: str, body: str, **limits: int) -> FunctionSpec:
        version = uuid.uuid4().hex * 2
        save(self.builds, Build(version=version, bundle=function(body).encode(), source_map=MAPLESS, meta={}))
        spec = FunctionSpec(name=name, version=version, source=f"{name}.ts", routes=(), limits=Limits(**limits))
        self.deployment.deploy(Manifest(functions={name: spec}))
        return spec

    def ask(self, name: str, version: str, body: bytes | None = None, **private: Any) -> bytes:
        """Returns the request's ID."""
        request_id = uuid.uuid4().bytes
        asked = head(
            function=name,
            version=version,
            seed=SEED,
            request=b'{"method":"POST","url":"http://x/f","path":"/f","headers":[],"params":{},"query":{}}',
        )
        parts = pack_request(asked.pack(), body, dumps(private) if private else b"")
        self.requests.accept(request_id, b"".join(parts))
        return request_id

    async def result(self, request_id: bytes) -> tuple[int, Any]:
        """(status, body)"""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := self.segment.results.read(1)):
                await asyncio.sleep(0)
        [(kind, tag, payload)] = found
        assert (kind, tag) == (ResultKind.RESULT, request_id)
        status, _, body = unpack_result(payload)
        return status, orjson.loads(body)

    def written(self, request_id: bytes) -> list[int]:
        """The kinds of the journal entries so far."""
        return [kind for kind, tag, _ in self.segment.journal.read(1000) if tag == request_id]

    def fill(self) -> None:
        """Leaves too little space in the journal for new executions."""
        while self.journal.admits():
            self.journal.write(JournalKind.ENTRY, bytes(16), bytes(RING_BYTES // RESERVE_SHARE // 2))

    def close(self) -> None:
        self.isolates.close()
        self.segment.close()
        self.segment.unlink()

    def _hurry(self) -> None:
        self.hurries += 1

    def _count(self) -> None:
        self.left += 1


Serve = Callable[..., Served]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    made: list[Served] = []

    def serve_(**overrides: Any) -> Served:
        made.append(Served(tmp_path, {key.replace("__", "."): value for key, value in overrides.items()}))
        return made[-1]

    yield serve_
    for served in made:
        served.close()


async def test_the_row_is_in_shared_memory_before_the_answer(serve: Serve) -> None:
    served = serve()
    spec = served.deploy("f", "return { got: input }")
    for _ in range(2):  # the first one waits for its isolate, the second one starts at once
        request_id = served.ask("f", spec.version, b'{"n":1}')
        assert request_id in {each.request_id for each in served.executions.in_flight.values()}
        assert await served.result(request_id) == (200, {"got": {"n": 1}})
        assert served.written(request_id) == [JournalKind.BEGIN, JournalKind.END]
    assert not served.executions.in_flight
    assert served.left == 2


async def test_a_function_that_is_not_deployed_is_not_found(serve: Serve) -> None:
    served = serve()
    request_id = served.ask("gone", "0" * 64)
    status, body = await served.result(request_id)
    assert (status, body["error"]["code"]) == (404, "ROUTE_NOT_FOUND")


async def test_a_replay_brings_its_function_along(serve: Serve) -> None:
    served = serve()
    old = served.deploy("f", "return ctx.requestId")
    served.deploy("f", "return 'new'")
    served.deploy("f", "return 'newer'")
    assert ("f", old.version) not in served.deployment.specs
    request_id = served.ask("f", old.version, spec=old.to_json(), request_id="the first one", calls=[])
    assert await served.result(request_id) == (200, "the first one")


async def test_a_function_whose_module_throws_answers_with_that(serve: Serve) -> None:
    served = serve()
    version = "a" * 64
    save(served.builds, Build(version=version, bundle=b"throw new Error('not today')", source_map=MAPLESS, meta={}))
    spec = FunctionSpec(name="f", version=version, source="f.ts", routes=())
    served.deployment.deploy(Manifest(functions={"f": spec}))
    request_id = served.ask("f", version)
    status, body = await served.result(request_id)
    assert (status, body["error"]["code"]) == (500, "FUNCTION_ERROR")
    assert served.written(request_id) == [JournalKind.BEGIN, JournalKind.END]


@pytest.mark.parametrize("mode", ["strict", "best-effort"])
async def test_without_room_for_a_record(serve: Serve, mode: str) -> None:
    served = serve(record__mode=mode)
    spec = served.deploy("f", "return 'served'")
    served.fill()
    request_id = served.ask("f", spec.version)
    status, body = await served.result(request_id)
    if mode == "strict":
        assert (status, body["error"]["code"]) == (503, "RECORD_BACKLOG")
    else:
        assert (status, body) == (200, "served")
    assert served.requests.dropped == (mode != "strict")
    assert served.written(request_id) == []


async def test_the_master_is_asked_once_to_hurry_when_the_journal_fills_up(serve: Serve) -> None:
    served = serve()
    journal = served.segment.journal
    for _ in range(2):
        assert served.journal.admits()
        before = served.hurries
        while journal.free > journal.capacity // 2:
            served.journal.write(JournalKind.ENTRY, bytes(16), bytes(1000))
        assert served.hurries == before
        assert [served.journal.admits() for _ in range(3)] == [True, True, True]
        assert served.hurries == before + 1
        journal.read(1000)
        journal.release(journal.taken)


async def test_the_answer_waits_for_a_row_that_has_no_room_yet(serve: Serve) -> None:
    served = serve()
    spec = served.deploy("f", "await new Promise(() => {})")
    request_id = served.ask("f", spec.version)
    [execution] = served.executions.in_flight.values()
    while served.journal.write(
        JournalKind.ENTRY, bytes(16), bytes(1024)
    ):  # the last one waits, and what comes after it
        pass
    execution.end(200, b"", b'"done"', None, None)
    await asyncio.sleep(0)
    assert served.segment.results.read(1) == []
    *_, (_, _, _, position) = served.segment.journal.read_with_positions(1000)
    served.segment.journal.release(position)
    assert await served.result(request_id) == (200, "done")
    assert served.written(request_id) == [JournalKind.END]  # its BEGIN was among those before


async def test_time_is_over_for_those_whose_it_is(serve: Serve) -> None:
    served = serve()
    spec = served.deploy("f", "await new Promise(() => {})", wall_ms=1)
    request_id = served.ask("f", spec.version)
    served.executions.end_late()
    status, body = await served.result(request_id)
    assert (status, body["error"]["code"]) == (504, "TIMEOUT")


async def test_what_cannot_be_taken_is_answered_all_the_same(serve: Serve) -> None:
    served = serve()
    unreadable = uuid.uuid4().bytes
    with pytest.raises(Exception, match="prefix"):
        served.requests.accept(unreadable, b"")
    served.requests.give_up(unreadable)
    status, body = await served.result(unreadable)
    assert (status, body["error"]["code"]) == (500, "INTERNAL")


async def test_an_error_that_quotes_half_a_character_is_answered(serve: Serve) -> None:
    served = serve()
    spec = served.deploy("f", r"try { await ctx.function.invoke('\ud800') } catch (error) { return error.code }")
    assert await served.result(served.ask("f", spec.version)) == (200, "FUNCTION_NOT_FOUND")
