"""Work that is pushed runs as executions of its own, at least once; work that is invoked is waited for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flux.store.pool import Connection
from tests.fixtures.server import Client, Serve

from .projects import copy_of

SOON_S = 20.0


@pytest.fixture
async def client(serve: Serve, tmp_path: Path) -> Client:
    return await serve(copy_of("jobs", tmp_path))


async def children(client: Client, request_id: str, state: str) -> list[dict[str, Any]]:
    """What the execution set off, once all of it is in this state."""
    async with asyncio.timeout(SOON_S):
        while True:
            found: list[dict[str, Any]] = (await client.execution(request_id))["children"]
            if found and all(child["state"] == state and child["status"] for child in found):
                return found


async def attempts(connection: Connection, job: str) -> list[float]:
    """When the job ran, in seconds."""
    rows = await connection.fetch("SELECT extract(epoch FROM at) AS at FROM attempts WHERE job = $1 ORDER BY id", job)
    return [float(row["at"]) for row in rows]


async def test_a_job_is_tried_again_later_until_it_succeeds(client: Client, connection: Connection) -> None:
    status, job, request_id = await client.post("/push", {"payload": {"name": "third", "succeeds_at": 3}})
    assert status == 200
    [child] = await children(client, request_id, "done")
    assert (child["job_id"], child["function"], child["status"]) == (job["job_id"], "flaky", 200)
    first, second, third = await attempts(connection, "third")
    assert 0.5 <= second - first < third - second + 0.5  # doubled, and shortened by up to half

    ids = await connection.fetchval("SELECT request_ids FROM flux.jobs WHERE job_id = $1", job["job_id"])
    executions = [await client.execution(str(id)) for id in ids]
    assert [execution["status"] for execution in executions] == [503, 503, 200]
    assert {execution["parent_request_id"] for execution in executions} == {request_id}
    assert {execution["kind"] for execution in executions} == {"job"}
    assert [execution["spans"][0]["attributes"]["attempt"] for execution in executions] == [1, 2, 3]


async def test_a_job_that_never_succeeds_ends_after_its_attempts(client: Client, connection: Connection) -> None:
    body = {"payload": {"name": "never", "succeeds_at": 99}, "options": {"max_attempts": 2}}
    _, _, request_id = await client.post("/push", body)
    [child] = await children(client, request_id, "dead")
    assert child["status"] == 503
    assert len(await attempts(connection, "never")) == 2


async def test_a_push_belongs_to_its_transaction(client: Client, connection: Connection) -> None:
    payload = {"name": "together", "succeeds_at": 1}
    body = {"payload": payload, "in_transaction": True, "fails": True}
    status, answer, failed = await client.post("/push", body)
    assert (status, answer["error"]["code"]) == (409, "TAKEN_BACK")
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == 0
    assert await connection.fetchval("SELECT count(*) FROM attempts") == 0

    status, _, request_id = await client.post("/push", {"payload": payload, "in_transaction": True})
    assert status == 200
    await children(client, request_id, "done")
    assert len(await attempts(connection, "together was pushed")) == 1
    assert len(await attempts(connection, "together")) == 1
    assert (await client.execution(failed))["children"] == []


async def test_the_same_key_is_the_same_job(client: Client, connection: Connection) -> None:
    body = {"payload": {"name": "once", "succeeds_at": 1}, "options": {"idempotency_key": "k1"}}
    answers = await asyncio.gather(*(client.post("/push", body) for _ in range(5)))
    assert {status for status, _, _ in answers} == {200}
    [job_id] = {answer["job_id"] for _, answer, _ in answers}
    async with asyncio.timeout(SOON_S):
        while await connection.fetchval("SELECT state FROM flux.jobs WHERE job_id = $1", job_id) != "done":
            pass
    _, again, _ = await client.post("/push", body)
    assert again["job_id"] == job_id
    assert len(await attempts(connection, "once")) == 1


async def test_a_push_that_makes_no_sense_fails_at_once(client: Client) -> None:
    status, _, request_id = await client.post("/push", {"payload": {}, "options": {"max_attempts": 0}})
    assert status == 400
    execution = await client.execution(request_id)
    assert [span["status"] for span in execution["spans"] if span["op"] == "queue.push"] == ["error"]


async def test_an_invocation_is_an_execution_of_its_own(client: Client) -> None:
    status, answer, request_id = await client.post("/calls", {"number": 21})
    assert (status, answer) == (200, {"doubled": 42})
    [child] = await children(client, request_id, "done")
    execution = await client.execution(child["request_id"])
    assert (execution["kind"], execution["parent_request_id"]) == ("invoke", request_id)
    assert (execution["function"], execution["input"], execution["output"]) == (
        "double",
        {"number": 21},
        {"number": 42},
    )
    _, replay = await client.api("POST", f"/executions/{request_id}/replay")
    assert replay["match"]
    assert len((await client.execution(request_id))["children"]) == 1  # the replay invoked nobody

    status, answer, request_id = await client.post("/calls", {"number": -1})
    assert (status, answer["error"]["code"]) == (422, "NEGATIVE")
    [child] = await children(client, request_id, "failed")
    assert child["status"] == 422
