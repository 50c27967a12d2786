"""A function that goes beyond a limit ends with an error of its own, in its record too, and disturbs nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.server import Client, Serve

from .load import load
from .projects import copy_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of("limits", tmp_path, "[limits]\nbody_bytes = 100000\n")


async def failed(client: Client, path: str, body: Any, status: int, code: str) -> dict[str, Any]:
    """Posts what must fail like this; gives the record, which must say the same."""
    told, answer, request_id = await client.post(path, body)
    assert (told, answer["error"]["code"], answer["error"]["request_id"]) == (status, code, request_id)
    execution = await client.execution(request_id)
    assert isinstance(execution, dict)
    assert (execution["status"], execution["error"]["code"]) == (status, code)
    return execution


def names(execution: dict[str, Any]) -> list[str]:
    return [span["name"] for span in execution["spans"]]


@pytest.mark.parametrize(("function", "code"), [("endless", "CPU_LIMIT"), ("bomb", "MEMORY_LIMIT")])
async def test_a_runaway_step_costs_only_itself(serve: Serve, project: Path, function: str, code: str) -> None:
    client = await serve(project, workers=1)
    [worker] = client.server.worker_pids()
    async with load(client, "/hello", lambda number: {"name": str(number)}, callers=4) as told:
        await told.more(20)
        for _ in range(3):  # each in a fresh isolate, because the one before is spent
            runaway = asyncio.create_task(failed(client, f"/{function}", {}, 500, code))
            while not runaway.done():
                await told.more(1)
            execution = await runaway
            assert names(execution)[:2] == ["gateway", function]
            assert [(span["op"], span["status"]) for span in execution["spans"][2:]] == [("sleep", "ok")]
            assert execution["duration_ms"] > 1
        await told.more(20)
    assert set(told.by_status) == {200}
    assert client.server.worker_pids() == [worker]


async def test_others_in_the_same_isolate_finish(serve: Serve, project: Path) -> None:
    """The culprit's neighbours are other requests to the same function, in the isolate that is given up."""
    client = await serve(project, workers=1)
    results = await asyncio.gather(*(client.post("/endless", {}) for _ in range(4)))
    assert {(status, body["error"]["code"]) for status, body, _ in results} <= {
        (500, "CPU_LIMIT"),
        (503, "ISOLATE_LOST"),
    }
    assert (await client.post("/hello", {"name": "Ada"}))[:2] == (200, {"message": "Hello, Ada"})


async def test_time_on_the_wall(serve: Serve, project: Path) -> None:
    client = await serve(project)
    execution = await failed(client, "/slow", {}, 504, "TIMEOUT")
    assert [span["status"] for span in execution["spans"][2:]] == ["ok", "open"]
    assert 200 <= execution["duration_ms"] < 2000


async def test_calls_in_flight(serve: Serve, project: Path) -> None:
    client = await serve(project)
    assert (await client.post("/many", {"calls": 10}))[0] == 200
    execution = await failed(client, "/many", {"calls": 11}, 500, "CALL_LIMIT")
    assert len(execution["spans"]) == 2 + 10


async def test_too_large_a_body(serve: Serve, project: Path) -> None:
    client = await serve(project)
    execution = await failed(client, "/hello", {"name": "x" * 100_000}, 413, "PAYLOAD_TOO_LARGE")
    assert (execution["path"], execution["input"]) == ("/hello", None)
    assert (await client.post("/hello", {"name": "x" * 90_000}))[0] == 200


async def test_a_rejection_that_nobody_awaits_is_logged(serve: Serve, project: Path) -> None:
    client = await serve(project)
    status, body, request_id = await client.post("/rejects", {})
    assert (status, body) == (200, {"fine": True})
    execution = await client.execution(request_id)
    [entry] = execution["logs"]
    assert entry["level"] == "error"
    assert "nobody awaits me" in entry["message"]
    assert "rejects.ts:3" in entry["message"]
