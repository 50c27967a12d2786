"""kill -9 under load: whatever a caller was told is in the record, and nobody waits for the dead."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import asyncpg
import orjson

from tests.fixtures.server import Client, Serve

from .load import Told, load

WORKER_KILLS = 200
MASTER_KILLS = 20
WHOLE = ["gateway", "create_user", "db:select(users)", "db:insert(users)", "queue:push(send_welcome)"]


async def records(url: str) -> dict[str, asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT request_id, status, error, spans FROM flux.executions WHERE kind = 'http'"
        )
    finally:
        await connection.close()
    return {str(row["request_id"]): row for row in rows}


def require_answered(told: Told, found: dict[str, asyncpg.Record]) -> None:
    """Every 2xx has its whole trace."""
    for request_id in told.by_status.get(200, ()):
        row = found.get(request_id)
        assert row is not None, f"{request_id} was answered and is not recorded"
        assert row["status"] == 200
        assert [span["name"] for span in orjson.loads(row["spans"])] == WHOLE


def require_died(told: Told, found: dict[str, asyncpg.Record]) -> None:
    """Every 502 has a trace that ends with `worker died` after the last host call made."""
    for request_id in told.by_status.get(502, ()):
        row = found.get(request_id)
        assert row is not None, f"{request_id} was answered with 502 and is not recorded"
        error = orjson.loads(row["error"])
        assert (row["status"], error["code"], error["message"]) == (502, "WORKER_DIED", "worker died")
        names = [span["name"] for span in orjson.loads(row["spans"])]
        assert names == WHOLE[: len(names)]


def one_worker(client: Client, chance: random.Random) -> int | None:
    pids = client.server.worker_pids()
    return chance.choice(pids) if pids else None


async def test_killed_workers_lose_nothing(serve: Serve, database_url: str) -> None:
    client = await serve(workers=2)
    chance = random.Random(WORKER_KILLS)
    async with load(client) as told:
        for _ in range(WORKER_KILLS):
            await told.more(chance.randint(1, 60))
            pid = one_worker(client, chance)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        await told.more(50)
    assert await client.server.stop() == 0
    assert set(told.by_status) <= {200, 502}
    assert told.broken == 0
    assert told.count(502) > 0
    found = await records(database_url)
    require_answered(told, found)
    require_died(told, found)


async def test_killed_masters_lose_nothing_that_was_answered(serve: Serve, database_url: str) -> None:
    client = await serve(workers=2)
    chance = random.Random(MASTER_KILLS)
    everything = Told()
    for _ in range(MASTER_KILLS):
        async with load(client) as told:
            await told.more(chance.randint(20, 300))
            client.server.kill()
            await client.server.wait()
            await asyncio.sleep(0)
        for status, ids in told.by_status.items():
            everything.by_status.setdefault(status, []).extend(ids)
        await client.server.start()
    assert await client.server.stop() == 0
    found = await records(database_url)
    require_answered(everything, found)
    unfinished = [row for row in found.values() if row["status"] == 502]
    assert all(orjson.loads(row["error"])["message"] == "worker died" for row in unfinished)
