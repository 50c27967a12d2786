from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from flux.store import jobs
from flux.store.jobs import Failure, Job
from flux.store.pool import Connection, Pool


async def push(conn: Connection, function: str = "send_welcome", **fields: Any) -> uuid.UUID:
    return await jobs.push(conn, function=function, payload=fields.pop("payload", b"{}"), **fields)


async def claim(conn: Connection, limit: int = 100, **fields: Any) -> list[Job]:
    return await jobs.claim(conn, limit=limit, functions=fields.get("functions"), lease_s=fields.get("lease_s", 60))


async def state(conn: Connection, job_id: uuid.UUID) -> str:
    return str((await jobs.get(conn, job_id) or {})["state"])


async def seconds_to(conn: Connection, moment: str, job_id: uuid.UUID) -> float:
    """From now to the job's `run_at` or `lease_until`."""
    query = f"SELECT extract(epoch FROM {moment} - clock_timestamp())::float8 FROM flux.jobs WHERE job_id = $1"
    seconds: float = await conn.fetchval(query, job_id)
    return seconds


async def lose_leases(conn: Connection) -> None:
    """As if time had passed since the node that held them went away."""
    await conn.execute("UPDATE flux.jobs SET lease_until = now() - interval '1 second' WHERE state = 'running'")


async def test_round_trip(connection: Connection) -> None:
    parent = uuid.uuid4()
    payload = rb'{"id": 7, "text": "\u0000\ud800"}'
    job_id = await push(connection, payload=payload, parent_request_id=parent, tenant="acme", max_attempts=3)
    [job] = await claim(connection)
    assert (job.job_id, job.function, job.payload, job.tenant) == (job_id, "send_welcome", payload, "acme")
    assert (job.parent_request_id, job.attempt, job.max_attempts, job.priority) == (parent, 1, 3, 0)
    assert await claim(connection) == []
    await jobs.complete(connection, [job_id])
    assert await state(connection, job_id) == "done"
    found = orjson.loads(orjson.dumps({**(await jobs.get(connection, job_id) or {}), "payload": None}))
    assert found["request_ids"] == [str(job.request_id)]
    assert found["finished_at"].endswith("Z")


async def test_urgent_first_then_oldest(connection: Connection) -> None:
    ids = [await push(connection, priority=priority) for priority in (0, 5, -3, 5, 0)]
    assert [job.job_id for job in await claim(connection)] == [ids[1], ids[3], ids[0], ids[4], ids[2]]


async def test_limit_takes_the_most_urgent(connection: Connection) -> None:
    for priority in range(10):
        await push(connection, priority=priority)
    assert [job.priority for job in await claim(connection, 3)] == [9, 8, 7]


async def test_only_functions_that_are_there(connection: Connection) -> None:
    await push(connection, "gone")
    wanted = await push(connection, "here")
    assert [job.job_id for job in await claim(connection, functions=["here", "too"])] == [wanted]
    assert await claim(connection, functions=[]) == []


async def test_delay(connection: Connection) -> None:
    later = await push(connection, delay_ms=60_000, priority=9)
    assert await claim(connection) == []
    assert 59 < await seconds_to(connection, "run_at", later) <= 60
    at_once = await push(connection, priority=-1)
    assert [job.job_id for job in await claim(connection)] == [at_once]


async def test_pushed_in_a_transaction_or_not_at_all(connection: Connection, pool: Pool) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await push(connection)
    async with pool.acquire() as other:
        assert await claim(other) == []
        await transaction.rollback()
        assert await claim(other) == []
        async with connection.transaction():
            await push(connection)
        assert len(await claim(other)) == 1


async def test_idempotency_key_holds_per_function_and_tenant(connection: Connection) -> None:
    first = await push(connection, idempotency_key="k")
    assert await push(connection, idempotency_key="k", payload=b"[]") == first
    others = {
        await push(connection, idempotency_key="other"),
        await push(connection, "another", idempotency_key="k"),
        await push(connection, tenant="acme", idempotency_key="k"),
    }
    assert first not in others
    assert len(others) == 3
    await jobs.complete(connection, [job.job_id for job in await claim(connection)])
    assert await push(connection, idempotency_key="k") == first
    assert await claim(connection) == []


async def test_idempotency_key_at_the_same_moment(pool: Pool) -> None:
    async def one() -> uuid.UUID:
        async with pool.acquire() as conn:
            return await push(conn, idempotency_key="k")

    assert len(set(await asyncio.gather(*(one() for _ in range(20))))) == 1


async def test_concurrent_claims_take_each_job_once_and_lose_none(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.executemany(
            "INSERT INTO flux.jobs (function, payload, max_attempts, run_at) VALUES ($1, '{}', 1, now())",
            [(f"f{number % 7}",) for number in range(2000)],
        )
    taken: Counter[uuid.UUID] = Counter()

    async def node(limit: int) -> None:
        async with pool.acquire() as conn:
            while claimed := await claim(conn, limit):
                taken.update(job.job_id for job in claimed)
                await jobs.complete(conn, [job.job_id for job in claimed])

    await asyncio.gather(*(node(limit) for limit in (1, 7, 50, 100)))
    assert len(taken) == 2000
    assert set(taken.values()) == {1}
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM flux.jobs WHERE state <> 'done'") == 0


async def test_retry_until_dead_with_history(connection: Connection) -> None:
    job_id = await push(connection, max_attempts=3)
    requests = []
    for attempt in (1, 2, 3):
        [job] = await claim(connection)
        assert job.attempt == attempt
        requests.append(str(job.request_id))
        failure = Failure(job_id=job_id, attempt=attempt, error=b'{"message":"no %d\\u0000"}' % attempt)
        assert await jobs.retry(connection, [failure]) == {job_id: "queued" if attempt < 3 else "dead"}
    assert await claim(connection) == []
    found = orjson.dumps((await jobs.get(connection, job_id) or {})["errors"]).replace(b"\\u0000", b"")
    history = orjson.loads(found)
    assert [(entry["attempt"], entry["error"]["message"]) for entry in history] == [
        (1, "no 1"),
        (2, "no 2"),
        (3, "no 3"),
    ]
    assert [entry["request_id"] for entry in history] == requests
    assert len(set(requests)) == 3


async def test_retry_waits_for_its_delay(connection: Connection) -> None:
    job_id = await push(connection)
    await claim(connection)
    await jobs.retry(connection, [Failure(job_id=job_id, attempt=1, error=b"{}", delay_ms=60_000)])
    assert await claim(connection) == []
    assert 59 < await seconds_to(connection, "run_at", job_id) <= 60


async def test_lease_that_ran_out(connection: Connection) -> None:
    job_id, last = await push(connection), await push(connection, max_attempts=1)
    first = {job.job_id: job for job in await claim(connection)}
    assert 59 < await seconds_to(connection, "lease_until", job_id) <= 60
    await lose_leases(connection)
    assert await claim(connection) == []  # this one puts them back
    [again] = await claim(connection)
    assert (again.job_id, again.attempt) == (job_id, 2)
    assert await state(connection, last) == "dead"
    # The first attempt comes back to life: it can report success, but not undo the second attempt's claim.
    late = Failure(job_id=job_id, attempt=1, error=b"{}")
    assert await jobs.retry(connection, [late]) == {}
    assert await state(connection, job_id) == "running"
    await jobs.complete(connection, [first[job_id].job_id, last])
    assert await state(connection, job_id) == "done"
    assert await state(connection, last) == "done"


async def test_heartbeat_keeps_the_lease(connection: Connection) -> None:
    job_id = await push(connection)
    await claim(connection, lease_s=0.001)
    await jobs.extend(connection, [job_id], 600)
    assert await seconds_to(connection, "lease_until", job_id) > 599


async def test_cancel(connection: Connection) -> None:
    queued, running = await push(connection, "queued"), await push(connection, "running")
    [job] = await claim(connection, functions=["running"])
    assert await jobs.cancel(connection, queued) == "cancelled"
    assert await jobs.cancel(connection, running) == "running"
    assert await jobs.cancel(connection, queued) is None
    assert await jobs.cancel(connection, uuid.uuid4()) is None
    failure = Failure(job_id=job.job_id, attempt=1, error=b"{}")
    assert await jobs.retry(connection, [failure]) == {running: "dead"}
    await jobs.complete(connection, [queued])
    assert await state(connection, queued) == "cancelled"


async def test_sweep(connection: Connection) -> None:
    await push(connection, "waits")
    ended = [await push(connection) for _ in range(4)]
    dead = await push(connection, max_attempts=1)
    await claim(connection, functions=["send_welcome"])
    await jobs.complete(connection, ended)
    await jobs.retry(connection, [Failure(job_id=dead, attempt=1, error=b"{}")])
    await connection.execute(
        "UPDATE flux.jobs SET finished_at = now() - $1::interval WHERE job_id <> $2 AND finished_at IS NOT NULL",
        timedelta(days=2),
        ended[0],
    )
    assert await jobs.sweep(connection, limit=2) == 2
    assert await jobs.sweep(connection) == 1
    assert await jobs.sweep(connection, dead_days=1) == 1
    assert sorted([item["state"] for item in (await jobs.page(connection)).items]) == ["done", "queued"]


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_pages(connection: Connection, limit: int) -> None:
    ids = [await push(connection, "a" if number % 2 else "b", tenant="t") for number in range(6)]
    await jobs.cancel(connection, ids[1])

    async def listed(**filters: Any) -> list[str]:
        found, after = [], None
        while True:
            page = await jobs.page(connection, limit=limit, after=after, **filters)
            found += [item["job_id"] for item in page.items]
            if (after := page.next) is None:
                return found

    newest_first = [str(id_) for id_ in reversed(ids)]
    assert await listed() == newest_first
    assert await listed(state="cancelled") == [str(ids[1])]
    assert await listed(function="a") == newest_first[::2]
    assert await listed(tenant="other") == []


async def test_unknown_state_is_refused_by_the_table(connection: Connection) -> None:
    await push(connection)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE flux.jobs SET state = 'lost'")
