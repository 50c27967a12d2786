from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flux.failure import HostError
from flux.store.pool import Connection
from flux.workers.host import connection as connection_module
from flux.workers.host import transaction
from flux.workers.host.scope import Scope, Services
from tests.integration.workers.host.conftest import Call, Tables, World, caller, new_scope, until

pytestmark = pytest.mark.usefixtures("users")


async def code_of(awaitable: Any) -> str:
    with pytest.raises(HostError) as caught:
        await awaitable
    return caught.value.code


async def emails(connection: Connection) -> list[str]:
    return [row["email"] for row in await connection.fetch("SELECT email FROM users ORDER BY id")]


async def begin_on_every_connection(services: Services) -> None:
    """Fails with DATABASE_BUSY when somebody has kept a connection."""
    scope = new_scope(services)
    await asyncio.gather(*(caller(scope)("db.begin") for _ in range(services.pool.get_max_size())))
    await scope.close()


async def test_commit(call: Call, connection: Connection) -> None:
    tx = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "a"}, tx=tx)
    assert await call("db.count", table="users", tx=tx) == 1
    assert await call("db.count", table="users") == 0
    assert await call("db.commit", tx=tx) is None
    assert await emails(connection) == ["a"]
    assert await code_of(call("db.commit", tx=tx)) == "TRANSACTION_CLOSED"
    assert await call("db.rollback", tx=tx) is None


async def test_rollback(call: Call, connection: Connection) -> None:
    tx = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "a"}, tx=tx)
    await call("db.rollback", tx=tx)
    assert await emails(connection) == []
    assert await code_of(call("db.count", table="users", tx=tx)) == "TRANSACTION_CLOSED"


async def test_a_failed_statement_aborts(call: Call, connection: Connection) -> None:
    await call("db.insert", table="users", data={"email": "a"})
    tx = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "b"}, tx=tx)
    assert await code_of(call("db.insert", table="users", data={"email": "a"}, tx=tx)) == "UNIQUE_VIOLATION"
    assert await code_of(call("db.count", table="users", tx=tx)) == "TRANSACTION_ABORTED"
    assert await code_of(call("db.commit", tx=tx)) == "TRANSACTION_ABORTED"
    assert await code_of(call("db.commit", tx=tx)) == "TRANSACTION_CLOSED"
    assert await emails(connection) == ["a"]


async def test_what_never_reached_postgres_does_not_abort(call: Call, connection: Connection) -> None:
    tx = (await call("db.begin"))["tx"]
    assert await code_of(call("db.insert", table="users", data={"nope": 1}, tx=tx)) == "UNKNOWN_COLUMN"
    assert await code_of(call("db.insert", table="users", data={"email": 1}, tx=tx)) == "INVALID_VALUE"
    assert await code_of(call("db.sql", text="COMMIT", tx=tx)) == "STATEMENT_REFUSED"
    await call("db.insert", table="users", data={"email": "a"}, tx=tx)
    await call("db.commit", tx=tx)
    assert await emails(connection) == ["a"]


async def test_savepoints(call: Call, connection: Connection) -> None:
    outer = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "a"}, tx=outer)
    inner = (await call("db.begin", tx=outer))["tx"]
    assert await code_of(call("db.count", table="users", tx=outer)) == "TRANSACTION_BUSY"
    assert await code_of(call("db.commit", tx=outer)) == "TRANSACTION_BUSY"
    assert await code_of(call("db.insert", table="users", data={"email": "a"}, tx=inner)) == "UNIQUE_VIOLATION"
    await call("db.rollback", tx=inner)
    inner = (await call("db.begin", tx=outer))["tx"]
    await call("db.insert", table="users", data={"email": "b"}, tx=inner)
    await call("db.commit", tx=inner)
    assert await code_of(call("db.count", table="users", tx=inner)) == "TRANSACTION_CLOSED"
    assert await call("db.count", table="users", tx=outer) == 2
    await call("db.commit", tx=outer)
    assert await emails(connection) == ["a", "b"]


async def test_rolling_back_the_outer_takes_the_inner_along(call: Call, connection: Connection) -> None:
    outer = (await call("db.begin"))["tx"]
    inner = (await call("db.begin", tx=outer))["tx"]
    await call("db.insert", table="users", data={"email": "b"}, tx=inner)
    await call("db.rollback", tx=outer)
    assert await code_of(call("db.count", table="users", tx=inner)) == "TRANSACTION_CLOSED"
    assert await emails(connection) == []


async def test_depth_is_limited(call: Call) -> None:
    tx = (await call("db.begin"))["tx"]
    for _ in range(7):
        tx = (await call("db.begin", tx=tx))["tx"]
    assert await code_of(call("db.begin", tx=tx)) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("bad", [99, -1, "1", 1.5, True])
async def test_unknown_transactions(call: Call, bad: Any) -> None:
    assert await code_of(call("db.count", table="users", tx=bad)) in ("TRANSACTION_CLOSED", "INVALID_ARGUMENT")


async def test_isolation(call: Call) -> None:
    tx = (await call("db.begin", isolation="serializable"))["tx"]
    assert await call("db.sql", text="SHOW transaction_isolation", tx=tx) == [{"transaction_isolation": "serializable"}]
    assert await code_of(call("db.begin", isolation="chaos; DROP TABLE users")) == "INVALID_ARGUMENT"


async def test_serialization_failure_can_be_told(call: Call) -> None:
    await call("db.insert", table="users", data={"email": "a", "age": 1})
    first = (await call("db.begin", isolation="repeatable_read"))["tx"]
    second = (await call("db.begin", isolation="repeatable_read"))["tx"]
    for tx in (first, second):
        await call("db.findOne", table="users", tx=tx)
    await call("db.update", table="users", where={"id": 1}, data={"age": 2}, tx=first)
    await call("db.commit", tx=first)
    with pytest.raises(HostError) as caught:
        await call("db.update", table="users", where={"id": 1}, data={"age": 3}, tx=second)
    assert (caught.value.code, caught.value.details) == ("SERIALIZATION_FAILURE", {"retryable": True})


async def test_calls_at_once_run_in_order(call: Call) -> None:
    tx = (await call("db.begin"))["tx"]
    rows = await asyncio.gather(
        *(call("db.insert", table="users", data={"email": str(number)}, tx=tx) for number in range(20))
    )
    assert [row["email"] for row in sorted(rows, key=lambda row: row["id"])] == [str(number) for number in range(20)]


async def test_deferred_constraints_fail_the_commit(call: Call, tables: Tables, services: Services) -> None:
    await tables("CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    services.catalogue.forget()
    tx = (await call("db.begin"))["tx"]
    for _ in range(2):
        await call("db.insert", table="later", data={"id": 1}, tx=tx)
    assert await code_of(call("db.commit", tx=tx)) == "UNIQUE_VIOLATION"
    assert await call("db.count", table="later") == 0
    await begin_on_every_connection(services)


async def test_jobs_are_announced_after_the_commit(call: Call, connection: Connection, world: World) -> None:
    tx = (await call("db.begin"))["tx"]
    await call("queue.push", function="send_welcome", payload={}, tx=tx)
    assert world.nudges == 0
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == 0
    await call("db.commit", tx=tx)
    assert world.nudges == 1
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == 1
    tx = (await call("db.begin"))["tx"]
    await call("queue.push", function="send_welcome", payload={}, tx=tx)
    await call("db.rollback", tx=tx)
    assert world.nudges == 1
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == 1


async def test_idle_transactions_end(call: Call, scope: Scope, connection: Connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(transaction, "IDLE_S", 0.05)
    tx = (await call("db.begin"))["tx"]
    await call("db.insert", table="users", data={"email": "a"}, tx=tx)
    await until(lambda: scope.transactions[tx].pinned.released)
    assert await code_of(call("db.count", table="users", tx=tx)) == "TRANSACTION_EXPIRED"
    assert await code_of(call("db.commit", tx=tx)) == "TRANSACTION_EXPIRED"
    assert await emails(connection) == []
    assert await call("db.count", table="users") == 0


async def test_a_statement_that_works_is_not_idle(call: Call, monkeypatch: Any) -> None:
    monkeypatch.setattr(transaction, "IDLE_S", 0.2)
    tx = (await call("db.begin"))["tx"]
    await call("db.sql", text="SELECT pg_sleep(0.5)", tx=tx)
    await call("db.commit", tx=tx)


async def test_long_transactions_end(call: Call, scope: Scope, monkeypatch: Any) -> None:
    monkeypatch.setattr(transaction, "LIFETIME_S", 0.05)
    monkeypatch.setattr(transaction, "ROLLBACK_TIMEOUT_S", 0.05)
    tx = (await call("db.begin"))["tx"]
    assert await code_of(call("db.sql", text="SELECT pg_sleep(10)", tx=tx)) in (
        "DATABASE_UNAVAILABLE",
        "DATABASE_ERROR",
        "TRANSACTION_EXPIRED",
    )
    await until(lambda: scope.transactions[tx].pinned.released)
    assert await code_of(call("db.count", table="users", tx=tx)) == "TRANSACTION_EXPIRED"


async def test_close_rolls_back_and_gives_back(services: Services, connection: Connection) -> None:
    for _ in range(10):  # more often than the pool has connections
        scope = new_scope(services)
        call = caller(scope)
        for number in range(2):
            tx = (await call("db.begin"))["tx"]
            await call("db.insert", table="users", data={"email": f"x{number}"}, tx=tx)
        await scope.close()
        await scope.close()
        assert await code_of(call("db.count", table="users")) == "EXECUTION_ENDED"
    assert await emails(connection) == []
    await begin_on_every_connection(services)


async def test_close_while_a_statement_runs(services: Services, monkeypatch: Any) -> None:
    """The execution was cancelled in the middle of a statement; closing goes on though it is cancelled as well."""
    monkeypatch.setattr(transaction, "ROLLBACK_TIMEOUT_S", 0.2)
    scope = new_scope(services)
    call = caller(scope)
    tx = (await call("db.begin"))["tx"]
    running = asyncio.create_task(call("db.sql", text="SELECT pg_sleep(30)", tx=tx))
    await until(scope.transactions[tx].pinned.lock.locked)
    running.cancel()
    closing = asyncio.create_task(scope.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(running, closing, return_exceptions=True)
    await services.close()
    await begin_on_every_connection(services)
    assert await caller(new_scope(services))("db.count", table="users") == 0


async def test_a_begin_that_is_cancelled_keeps_no_connection(services: Services) -> None:
    scope = new_scope(services)
    for turn in range(40):
        task = asyncio.create_task(caller(scope)("db.begin"))
        for _ in range(turn % 20):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await scope.close()
        scope = new_scope(services)
    await services.close()
    await begin_on_every_connection(services)


async def test_as_many_transactions_as_connections(services: Services) -> None:
    """The first calls of a worker are transactions, all at once: none of them may wait for a connection of its own."""
    calls = [caller(new_scope(services)) for _ in range(4)]
    numbers = await asyncio.gather(*(call("db.begin") for call in calls))
    async with asyncio.timeout(2):
        counts = await asyncio.gather(
            *(call("db.count", table="users", tx=begun["tx"]) for call, begun in zip(calls, numbers, strict=True))
        )
    assert counts == [0, 0, 0, 0]
    await asyncio.gather(*(call("db.commit", tx=begun["tx"]) for call, begun in zip(calls, numbers, strict=True)))


async def test_an_exhausted_pool_says_so(call: Call, services: Services, monkeypatch: Any) -> None:
    monkeypatch.setattr(connection_module, "PATIENCE_S", 0.05)
    for _ in range(4):
        await call("db.begin")
    with pytest.raises(HostError) as caught:
        await call("db.begin")
    assert (caught.value.code, caught.value.status) == ("DATABASE_BUSY", 503)
    assert await call("db.count", table="users") == 0  # single statements have lanes of their own
