"""A recorded execution runs again to the byte, and nothing of it leaves the process."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from flux.record.journal import FIRST_CALL
from flux.store.pool import Connection
from tests.fixtures.server import Client, Serve

from .load import at_once
from .projects import copy_of

EXECUTIONS = 1000
IN_FLIGHT = 32
REPLAYS_IN_FLIGHT = 8
SLOWEST_S = 0.012  # of the service that the function fetches from; long enough to mix up the order of answers
TABLES = ("public.notes", "flux.jobs", "flux.open_records")
LOGS = ("logs", "logs_again")
WHAT_RAN = ("id", "parent", "kind", "name", "op", "input", "output", "status", "settled")


@dataclass
class Upstream:
    """A service outside of Flux, which answers after a random short time and counts what it is asked."""

    url: str
    requests: int = 0


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    chance = random.Random(1)
    service = Upstream("")

    async def answer(request: web.Request) -> web.Response:
        service.requests += 1
        await asyncio.sleep(chance.random() * SLOWEST_S)
        return web.json_response({"path": request.path, "number": service.requests, "chance": chance.random()})

    application = web.Application()
    application.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


@pytest.fixture
def project(upstream: Upstream, tmp_path: Path) -> Path:
    host = upstream.url.removeprefix("http://")
    toml = f'[outbound]\nallow_hosts = ["{host}"]\n[env]\nUPSTREAM = "{upstream.url}"\n'
    return copy_of("everything", tmp_path, toml)


async def replayed(client: Client, request_id: str) -> dict[str, Any]:
    status, replay = await client.api("POST", f"/executions/{request_id}/replay")
    assert status == 200, replay
    assert isinstance(replay, dict)
    return replay


async def row_counts(connection: Connection) -> list[int]:
    return [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]


def calls(spans: str) -> list[list[Any]]:
    """What the function asked for and got, in order."""
    return [[span[key] for key in WHAT_RAN] for span in orjson.loads(spans) if span["id"] >= FIRST_CALL]


async def test_a_thousand_executions_run_again_to_the_byte(
    serve: Serve, project: Path, upstream: Upstream, connection: Connection
) -> None:
    client = await serve(project, workers=2)
    answers = await at_once(IN_FLIGHT, (client.post("/everything", {"number": number}) for number in range(EXECUTIONS)))
    assert {status for status, _, _ in answers} == {200}
    assert len({tuple(body["order"][i].split()[0] for i in range(9)) for _, body, _ in answers}) > EXECUTIONS // 10

    asked = upstream.requests
    rows = await row_counts(connection)
    replays = await at_once(REPLAYS_IN_FLIGHT, (replayed(client, request_id) for _, _, request_id in answers))
    assert [replay for replay in replays if not replay["match"]] == []
    assert (upstream.requests, await row_counts(connection)) == (asked, rows)

    assert await client.server.stop() == 0
    pairs = await connection.fetch(
        "SELECT original.output::text AS before, again.output::text AS after,"
        " original.spans::text AS spans, again.spans::text AS spans_again, original.logs::text AS logs,"
        " again.logs::text AS logs_again"
        " FROM flux.executions AS again JOIN flux.executions AS original ON original.request_id = again.replay_of"
    )
    assert len(pairs) == EXECUTIONS
    for pair in pairs:
        assert pair["before"] == pair["after"]
        assert calls(pair["spans"]) == calls(pair["spans_again"])
        messages = [[(log["message"], log.get("fields")) for log in orjson.loads(pair[name])] for name in LOGS]
        assert messages[0] == messages[1]


async def change_span(connection: Connection, request_id: str, op: str, key: str, value: Any) -> dict[str, Any]:
    """Rewrites one recorded call; returns the span as it is recorded now."""
    spans = orjson.loads(
        await connection.fetchval("SELECT spans::text FROM flux.executions WHERE request_id = $1", request_id)
    )
    span = next(span for span in spans if span["op"] == op)
    span[key] = value
    text = orjson.dumps(spans).decode()
    await connection.execute("UPDATE flux.executions SET spans = $2 WHERE request_id = $1", request_id, text)
    assert isinstance(span, dict)
    return span


async def test_a_call_that_is_not_in_the_record_is_a_divergence(
    serve: Serve, project: Path, connection: Connection
) -> None:
    client = await serve(project)
    _, _, request_id = await client.post("/everything", {"number": 1})
    assert (await replayed(client, request_id))["match"]
    changed = await change_span(connection, request_id, "sleep", "input", {"ms": 12345})
    replay = await replayed(client, request_id)
    assert not replay["match"]
    [divergence] = replay["divergences"]
    assert divergence["seq"] == changed["id"] - FIRST_CALL + 1
    assert divergence["recorded"] == {"op": "sleep", "args": {"ms": 12345}}
    assert divergence["asked"]["ms"] < 8


async def test_a_call_of_which_the_record_knows_nothing_is_a_divergence(
    serve: Serve, project: Path, connection: Connection
) -> None:
    client = await serve(project)
    _, _, request_id = await client.post("/greet", {})
    await client.execution(request_id)
    await connection.execute(
        "UPDATE flux.executions SET spans = (SELECT json_agg(span) FROM json_array_elements(spans) AS span"
        " WHERE span ->> 'op' <> 'sleep') WHERE request_id = $1",
        request_id,
    )
    replay = await replayed(client, request_id)
    [divergence] = replay["divergences"]
    assert (divergence["op"], divergence["asked"], divergence["recorded"]) == ("sleep", {"ms": 1}, None)


async def test_another_answer_gives_another_result(serve: Serve, project: Path, connection: Connection) -> None:
    client = await serve(project)
    _, body, request_id = await client.post("/everything", {"number": 1})
    await client.execution(request_id)
    await change_span(connection, request_id, "db.sql", "output", [{"now": "never", "chance": 2, "text": "changed"}])
    replay = await replayed(client, request_id)
    assert (replay["match"], replay["divergences"]) == (False, [])
    assert replay["recorded"]["output"] == body
    assert replay["replayed"]["output"]["together"][3] == [{"now": "never", "chance": 2, "text": "changed"}]


@pytest.mark.parametrize(("deliberate", "status", "code"), [(True, 418, "TEAPOT"), (False, 500, "FUNCTION_ERROR")])
async def test_a_failure_runs_again_to_the_same_error(
    serve: Serve, project: Path, deliberate: bool, status: int, code: str
) -> None:
    client = await serve(project)
    told, _, request_id = await client.post("/throws", {"deliberate": deliberate})
    assert told == status
    replay = await replayed(client, request_id)
    assert replay["match"]
    assert (replay["status"], replay["replayed"]["error"]["code"]) == (status, code)
    before, after = await client.execution(request_id), await client.execution(replay["request_id"])
    assert after["error"] == before["error"]
    assert after["replay_of"] == request_id


async def test_what_no_function_answered_cannot_be_replayed(serve: Serve, project: Path) -> None:
    client = await serve(project)
    told, _, request_id = await client.post("/nowhere", {})
    assert told == 404
    status, body = await client.api("POST", f"/executions/{request_id}/replay")
    assert (status, body["error"]["code"]) == (409, "NOT_REPLAYABLE")


async def test_what_is_not_wholly_recorded_cannot_be_replayed(serve: Serve, project: Path) -> None:
    client = await serve(project)
    told, body, request_id = await client.post("/large", {})
    assert (told, body) == (200, {"length": 300_000})
    status, body = await client.api("POST", f"/executions/{request_id}/replay")
    assert (status, body["error"]["code"]) == (409, "NOT_REPLAYABLE")


async def test_the_code_that_ran_runs_again_after_it_was_changed(serve: Serve, project: Path) -> None:
    client = await serve(project)
    _, _, request_id = await client.post("/greet", {})
    source = project / "functions" / "greet.ts"
    source.write_text(source.read_text().replace("hello", "good bye"))
    assert client.server.process is not None
    client.server.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(30):
        while True:
            _, body, _ = await client.post("/greet", {})
            if body["said"].startswith("good bye"):
                break
    replay = await replayed(client, request_id)
    assert replay["match"]
    assert replay["replayed"]["output"]["said"].startswith("hello")


ODD = {
    "surrogate": 200,
    "thrown surrogate": 500,
    "deliberate surrogate": 400,
    "rejected surrogate": 200,
    "numbers": 200,
    "keys": 200,
    "nothing": 200,
    "response": 201,
    "bytes": 200,
    "error response": 422,
    "empty": 204,
    "truncated": 200,
}


async def test_odd_values_run_again(serve: Serve, project: Path) -> None:
    client = await serve(project)
    for kind, status in ODD.items():
        async with client.session.post(client.server.url + "/odd", json={"kind": kind}) as response:
            request_id = response.headers["x-request-id"]
            assert response.status == status, f"{kind}: {await client.execution(request_id)}"
        replay = await replayed(client, request_id)
        assert (replay["match"], replay["status"]) == (True, status), (kind, replay)
