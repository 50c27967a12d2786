"""Postgres goes away and comes back under load: nothing that was answered is lost, and nobody has to help."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
import pytest

from flux.store import embedded
from tests.fixtures.server import Client, Serve

from .load import Told, load

SMALL_RING = str(256 * 1024)  # full after about two hundred executions
LARGE_RING = str(64 * 1024 * 1024)  # holds what is recorded while Postgres is away
WHOLE = {
    "create_user": ["gateway", "create_user", "db:select(users)", "db:insert(users)", "queue:push(send_welcome)"],
    "hello": ["gateway", "hello"],
}
BACK_S = 20.0
STORED = "SELECT count(*) FROM flux.executions"


@dataclass
class OwnPostgres:
    """A PostgreSQL of this test alone, which it may stop."""

    folder: Path
    running: embedded.Embedded

    async def stop(self) -> None:
        await asyncio.to_thread(self.running.stop)

    async def start(self) -> None:
        self.running = await asyncio.to_thread(embedded.start, self.folder)


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[OwnPostgres]:
    folder = tmp_path / "own"
    server = OwnPostgres(folder, await asyncio.to_thread(embedded.start, folder))
    yield server
    await server.stop()


async def require_whole(url: str, *all_told: Told) -> None:
    """Every 2xx has its whole trace."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT request_id, status, function, spans::text AS spans FROM flux.executions")
    finally:
        await connection.close()
    found = {str(row["request_id"]): row for row in rows}
    for told in all_told:
        for request_id in told.by_status[200]:
            row = found.get(request_id)
            assert row is not None, f"{request_id} was answered and is not recorded"
            assert row["status"] == 200
            assert [span["name"] for span in orjson.loads(row["spans"])] == WHOLE[row["function"]]


def greeting(number: int) -> dict[str, str]:
    return {"name": str(number)}


async def dropped(client: Client) -> float:
    async with client.session.get(client.server.url + "/metrics") as response:
        [line] = [
            line for line in (await response.text()).splitlines() if line.startswith("flux_records_dropped_total")
        ]
    return float(line.split()[1])


async def test_restarts_under_load_lose_nothing(serve: Serve, own_postgres: OwnPostgres) -> None:
    settings = {"FLUX_RECORD_RING_BYTES": LARGE_RING}
    client = await serve(workers=2, database=own_postgres.running.url, settings=settings)
    workers = set(client.server.worker_pids())
    async with load(client, callers=8) as users, load(client, "/hello", greeting, callers=2) as hellos:
        for _ in range(2):
            await users.more(50)
            await own_postgres.stop()
            await hellos.more(200)  # needs no database
            await own_postgres.start()
            async with asyncio.timeout(BACK_S):
                await users.more(50)
                await hellos.more(50)
    assert set(client.server.worker_pids()) == workers
    assert await client.server.stop() == 0
    assert set(hellos.by_status) == {200}
    assert set(users.by_status) <= {200, 503}
    assert users.broken == hellos.broken == 0
    await require_whole(own_postgres.running.url, users, hellos)


async def test_a_worker_that_dies_meanwhile_is_replaced(serve: Serve, own_postgres: OwnPostgres) -> None:
    client = await serve(workers=1, database=own_postgres.running.url)
    async with load(client, "/hello", greeting, callers=4) as told:
        await told.more(20)
        await own_postgres.stop()
        [worker] = client.server.worker_pids()
        os.kill(worker, signal.SIGKILL)
        async with asyncio.timeout(BACK_S):
            await told.more(20)
        await own_postgres.start()
    assert await client.server.stop() == 0
    assert set(told.by_status) <= {200, 502}
    await require_whole(own_postgres.running.url, told)


async def test_a_ring_that_fills_up_is_stored_before_its_time(serve: Serve, own_postgres: OwnPostgres) -> None:
    """Many times what a ring holds passes through it between two flushes."""
    settings = {"FLUX_RECORD_RING_BYTES": SMALL_RING, "FLUX_RECORD_FLUSH_MS": "600000"}
    client = await serve(workers=1, database=own_postgres.running.url, settings=settings)
    async with load(client, "/hello", greeting, callers=4) as told:
        await told.more(1500)
    assert await client.server.stop() == 0
    assert set(told.by_status) == {200}
    await require_whole(own_postgres.running.url, told)


async def test_full_rings_refuse_what_could_not_be_recorded(serve: Serve, own_postgres: OwnPostgres) -> None:
    client = await serve(database=own_postgres.running.url, settings={"FLUX_RECORD_RING_BYTES": SMALL_RING})
    async with load(client, "/hello", greeting, callers=8) as told:
        await told.more(20)
        await own_postgres.stop()
        async with asyncio.timeout(BACK_S):
            await told.more(1, status=503)
        status, body, _ = await client.post("/hello", {"name": "Ada"})
        assert (status, body["error"]["code"]) == (503, "RECORD_BACKLOG")
        async with client.session.get(client.server.url + "/readiness") as response:
            assert response.status == 503
        await own_postgres.start()
        async with asyncio.timeout(BACK_S):
            await told.more(100)
    assert await client.server.stop() == 0
    assert set(told.by_status) == {200, 503}
    await require_whole(own_postgres.running.url, told)


async def test_best_effort_goes_on_and_counts_what_is_lost(serve: Serve, own_postgres: OwnPostgres) -> None:
    settings = {"FLUX_RECORD_RING_BYTES": SMALL_RING, "FLUX_RECORD_MODE": "best-effort"}
    client = await serve(database=own_postgres.running.url, settings=settings)
    async with load(client, "/hello", greeting, callers=8) as told:
        await told.more(20)
        assert await dropped(client) == 0
        await own_postgres.stop()
        async with asyncio.timeout(BACK_S):
            while not (first := await dropped(client)):
                await told.more(1)
            while await dropped(client) == first:
                await told.more(1)
        await own_postgres.start()
        await told.more(100)
    assert set(told.by_status) == {200}
    connection = await asyncpg.connect(own_postgres.running.url)
    async with asyncio.timeout(BACK_S):
        while await connection.fetchval(STORED) + await dropped(client) != told.count():
            pass  # the last batch is being stored, or the last heartbeat is yet to come
    await connection.close()


async def test_stopped_while_postgres_is_away_it_keeps_the_record_for_the_next_start(
    serve: Serve, own_postgres: OwnPostgres
) -> None:
    client = await serve(database=own_postgres.running.url)
    await own_postgres.stop()
    told = Told()
    for _ in range(20):
        status, _, request_id = await client.post("/hello", {"name": "Ada"})
        told.note(status, request_id)
    assert await client.server.stop() == 1
    await own_postgres.start()
    await client.server.start()
    assert await client.server.stop() == 0
    assert told.count() == 20
    await require_whole(own_postgres.running.url, told)
