"""Postgres goes away: what is tried again, what is not, and what a function is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from flux import config
from flux.failure import HostError
from flux.store import embedded
from flux.store.migrate import migrate
from flux.store.pool import Connection, open_pool
from flux.store.wire.lanes import open_lanes
from flux.workers.host import connection as connection_module
from flux.workers.host.scope import Services
from tests.integration.workers.host.conftest import Call, World, caller, new_scope, spec, until

# Not Postgres' own, such as autovacuum, which only a superuser may end.
CLIENTS = "datname = current_database() AND backend_type = 'client backend'"
OTHERS = f"FROM pg_stat_activity WHERE {CLIENTS} AND pid <> pg_backend_pid()"
TERMINATE = f"SELECT pg_terminate_backend(pid) {OTHERS}"


@pytest.mark.usefixtures("users")
async def test_broken_connections_are_replaced(call: Call, connection: Connection) -> None:
    """Reads never fail; of the writes only those may that were sent before the end of the connection was seen."""
    stored = 0
    for number in range(20):
        counts = await asyncio.gather(*(call("db.count", table="users") for _ in range(4)))
        assert counts == [stored] * 4
        results = await asyncio.gather(
            *(call("db.insert", table="users", data={"email": f"{number}-{i}"}) for i in range(4)),
            connection.execute(TERMINATE),
            return_exceptions=True,
        )
        failures = [error for error in results if isinstance(error, BaseException)]
        assert all(isinstance(error, HostError) and error.code == "DATABASE_UNAVAILABLE" for error in failures)
        before, stored = stored, await call("db.count", table="users")
        assert stored - before >= 4 - len(failures)
        await connection.execute(TERMINATE)


async def being_executed(connection: Connection, text: str) -> None:
    """Returns when a statement with this text is being executed."""
    async with asyncio.timeout(10):
        while not await connection.fetchval(
            f"SELECT count(*) {OTHERS} AND state = 'active' AND query LIKE $1",
            f"%{text}%",
        ):
            await connection.execute("SELECT pg_stat_clear_snapshot()")


@pytest.mark.usefixtures("users")
async def test_a_read_is_tried_again(call: Call, connection: Connection) -> None:
    """The first attempt waits for a lock when its connection is cut."""
    await call("db.insert", table="users", data={"email": "a"})
    async with connection.transaction():
        await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(call("db.find", table="users"))
        await being_executed(connection, 'FROM "public"."users"')
        await connection.execute(TERMINATE)
    assert [row["email"] for row in await reading] == ["a"]


@pytest.mark.usefixtures("users")
async def test_a_write_is_not(call: Call, connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE users IN SHARE MODE")
        writing = asyncio.create_task(call("db.insert", table="users", data={"email": "a"}))
        await being_executed(connection, "INSERT INTO")
        await connection.execute(TERMINATE)
        with pytest.raises(HostError) as caught:
            await writing
    assert (caught.value.code, caught.value.status) == ("DATABASE_UNAVAILABLE", 503)
    assert await call("db.count", table="users") == 0


@pytest.mark.usefixtures("users")
async def test_a_transaction_that_lost_its_connection(call: Call, connection: Connection, services: Services) -> None:
    tx = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "a"}, tx=tx)
    await connection.execute(TERMINATE)
    for expected in ("DATABASE_UNAVAILABLE", "TRANSACTION_ABORTED"):
        with pytest.raises(HostError) as caught:
            await call("db.count", table="users", tx=tx)
        assert caught.value.code == expected
    await call("db.rollback", tx=tx)
    assert await call("db.count", table="users") == 0


async def test_statement_timeout(call: Call, services: Services) -> None:
    await call("db.sql", text="SET statement_timeout = 50")  # undone when the connection is given back
    tx = (await call("db.begin"))["tx"]
    await call("db.sql", text="SET LOCAL statement_timeout = 50", tx=tx)
    with pytest.raises(HostError) as caught:
        await call("db.sql", text="SELECT pg_sleep(5)", tx=tx)
    assert (caught.value.code, caught.value.status) == ("QUERY_TIMEOUT", 504)
    await call("db.rollback", tx=tx)
    assert await call("db.sql", text="SHOW statement_timeout") == [{"statement_timeout": "15s"}]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[embedded.Embedded]:
    """A PostgreSQL of this test's own, as it is stopped and started."""
    server = embedded.start(tmp_path / "postgres")
    yield server
    server.stop()


@pytest.fixture
async def own_services(own_server: embedded.Embedded, world: World, tmp_path: Path) -> AsyncIterator[Services]:
    async with await open_pool(own_server.url, 4, statement_timeout_ms=15_000) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
        functions = {"caller": spec("caller")}
        services = Services(
            pool=pool,
            lanes=(lanes := open_lanes(own_server.url, 4, statement_timeout_ms=15_000)),
            settings=config.load(tmp_path, env={}),
            secrets={},
            functions=lambda: functions,
            invoke=world.invoke,
            nudge=world.nudge,
        )
        yield services
        await services.close()
        await lanes.close()


async def test_a_restart_under_load(own_server: embedded.Embedded, own_services: Services, tmp_path: Path) -> None:
    """Reads wait it out; each write either took place or said that it may not have; nobody has to do anything."""
    connection = await asyncpg.connect(own_server.url)
    await connection.execute("CREATE TABLE writes (id int)")
    await connection.close()
    call = caller(new_scope(own_services))
    stop = asyncio.Event()
    written: list[int] = []
    failures: list[HostError] = []

    async def write(number: int) -> None:
        while not stop.is_set():
            try:
                await call("db.insert", table="writes", data={"id": number})
            except HostError as error:
                failures.append(error)
            else:
                written.append(number)
            number += 100

    async def read() -> int:
        seen = 0
        while not stop.is_set():
            seen = await call("db.count", table="writes")
        return seen

    tasks: list[asyncio.Task[Any]] = [*(asyncio.create_task(write(i)) for i in range(4)), asyncio.create_task(read())]
    await until(lambda: len(written) >= 50)
    await asyncio.to_thread(own_server.stop)
    restarted = await asyncio.to_thread(embedded.start, tmp_path / "postgres")
    before = len(written)
    await until(lambda: len(written) >= before + 50)
    stop.set()
    await asyncio.gather(*tasks)
    stored = [row["id"] for row in await call("db.sql", text="SELECT id FROM writes")]
    restarted.stop()
    assert len(stored) == len(set(stored)), "a write was carried out twice"
    assert set(written) <= set(stored)
    assert {error.code for error in failures} <= {"DATABASE_UNAVAILABLE"}
    assert len(stored) - len(written) <= len(failures) <= 8  # two connections at most that a writer saw end


async def test_a_server_that_does_not_come_back(
    own_server: embedded.Embedded, own_services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PATIENCE_S", 0.2)
    call = caller(new_scope(own_services))
    assert await call("db.sql", text="SELECT 1 AS one") == [{"one": 1}]
    await asyncio.to_thread(own_server.stop)
    with pytest.raises(HostError) as caught:
        await call("db.sql", text="SELECT 1 AS one")
    assert (caught.value.code, caught.value.status) == ("DATABASE_UNAVAILABLE", 503)
