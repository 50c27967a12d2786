"""What a data route's run says, call by call."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from flux.failure import HostError
from flux.manifest import DataRoute
from flux.workers.data_run import DataRun
from flux.workers.isolate.protocol import Call, Done, Event, Failed

ROUTE = DataRoute(table="users", path="/users", methods=("GET", "POST"), operations=("select", "count", "insert"))


class Run:
    """A run, and what it has said so far."""

    def __init__(self, matched: str = "/users", *, limit: int = 1000) -> None:
        self.said: list[Event] = []
        self.run = DataRun(ROUTE, matched, limit=limit, on_events=self.said.extend, loop=asyncio.get_running_loop())

    async def start(self, method: str = "GET", body: bytes | None = None, **request: Any) -> Event:
        sent = {"method": method, "params": {}, "query": {}, "headers": [], **request}
        self.run.start(7, started_us=0, seed=b"", request=orjson.dumps(sent), body=body, context=b"{}")
        assert not self.said  # nothing is said from within a call
        await asyncio.sleep(0)
        return self.said[-1]

    async def answer(self, payload: bytes, *, call: int = 1, ok: bool = True) -> Event:
        self.run.answer(7, call, clock_us=0, ok=ok, payload=payload)
        await asyncio.sleep(0)
        return self.said[-1]


async def test_one_call_and_its_answer() -> None:
    run = Run()
    assert await run.start(query={"plan": "pro"}) == Call(
        7, 1, 0, "db.query", b'{"query":{"table":"users","operation":"select"},"filters":[["plan","pro"]]}'
    )
    assert await run.answer(b'[{"id": 1}]') == Done(7, "json", b'[{"id":1}]')


async def test_a_count_is_a_second_call() -> None:
    run = Run()
    await run.start(query={"count": "exact"})
    second = await run.answer(b"[]")
    assert second == Call(7, 2, 0, "db.query", b'{"query":{"table":"users","operation":"count"}}')
    done = await run.answer(b"12", call=2)
    assert isinstance(done, Done)
    assert orjson.loads(done.payload) == {
        **{"status": 200, "headers": [["x-total-count", "12"], ["content-type", "application/json"]], "json": []},
    }


async def test_what_was_made_is_201_and_what_is_not_there_404() -> None:
    run = Run()
    await run.start("POST", b'{"a": 1}')
    done = await run.answer(b'{"a": 1}')
    assert isinstance(done, Done)
    assert (done.kind, orjson.loads(done.payload)["status"]) == ("response", 201)
    run = Run("/users/:id")
    await run.start(params={"id": "7"})
    failed = await run.answer(b"null")
    assert isinstance(failed, Failed)
    assert orjson.loads(failed.payload)["status"] == 404


async def test_refusals_are_the_callers_and_defects_are_not() -> None:
    run = Run()
    failed = await run.start("POST", b"{")
    assert isinstance(failed, Failed)
    assert orjson.loads(failed.payload)["code"] == "INVALID_JSON"
    run = Run()
    await run.start()
    refusal = HostError("FORBIDDEN_COLUMN", 403, "no")
    assert await run.answer(refusal.payload(), ok=False) == Failed(7, refusal.payload())
    run = Run()
    await run.start()
    defect = await run.answer(HostError("DATABASE_ERROR", 500, "relation x").payload(), ok=False)
    assert isinstance(defect, Failed)
    assert orjson.loads(defect.payload) == {"name": "DATABASE_ERROR", "message": "relation x"}  # so not the caller's


async def test_answers_are_bounded() -> None:
    run = Run(limit=10)
    await run.start()
    failed = await run.answer(b'["0123456789"]')
    assert isinstance(failed, Failed)
    assert orjson.loads(failed.payload)["code"] == "QUERY_TOO_LARGE"


@pytest.mark.parametrize("ok", [True, False])
async def test_nothing_is_said_of_what_was_abandoned(ok: bool) -> None:
    run = Run()
    await run.start()
    run.run.abandon(7)
    await run.answer(b"[]", ok=ok)
    assert len(run.said) == 1
