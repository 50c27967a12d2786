"""Host calls of a rehearsal: each sees what those before it changed, and at the end nothing has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest

from flux.failure import HostError
from flux.store.pool import Connection
from flux.workers.host.rehearsal import Rehearsal
from flux.workers.host.scope import Scope, Services
from tests.integration.workers.host.conftest import World, new_scope
from tests.integration.workers.host.test_transactions import begin_on_every_connection, code_of, emails

pytestmark = pytest.mark.usefixtures("users")

Rehearsed = Callable[..., Coroutine[Any, Any, Any]]


def rehearsed(scope: Scope) -> Rehearsed:
    rehearsal = Rehearsal()

    async def call(op: str, /, **args: Any) -> Any:
        return orjson.loads(await rehearsal.perform(scope, op, args, 1))

    return call


@pytest.fixture
def call(scope: Scope) -> Rehearsed:
    return rehearsed(scope)


async def test_nothing_remains(call: Rehearsed, scope: Scope, connection: Connection, world: World) -> None:
    await call("db.insert", table="users", data={"email": "a"})
    assert await call("db.count", table="users") == 1
    await call("queue.push", function="send_welcome", payload={})
    assert await emails(connection) == []
    await scope.close()
    assert await emails(connection) == []
    for nothing in ("jobs", "mutations"):
        assert await connection.fetchval(f"SELECT count(*) FROM flux.{nothing}") == 0
    assert world.nudges == 0
    await begin_on_every_connection(scope.services)


async def test_a_call_that_fails_takes_nothing_with_it(call: Rehearsed) -> None:
    await call("db.insert", table="users", data={"email": "a"})
    assert await code_of(call("db.insert", table="users", data={"email": "a"})) == "UNIQUE_VIOLATION"
    await call("db.update", table="users", data={"email": "b"}, where={"email": "a"})
    assert await call("db.findOne", table="users", columns=["email"]) == {"email": "b"}


async def test_a_transaction_of_the_functions(call: Rehearsed, scope: Scope, connection: Connection) -> None:
    await call("db.insert", table="users", data={"email": "before"})
    tx = (await call("db.begin", isolation="serializable"))["tx"]
    await call("db.insert", table="users", data={"email": "undone"}, tx=tx)
    assert await call("db.count", table="users") == 2  # a call beside it is within it, too
    await call("db.rollback", tx=tx)
    tx = (await call("db.begin"))["tx"]
    inner = (await call("db.begin", tx=tx))["tx"]
    await call("db.insert", table="users", data={"email": "kept"}, tx=inner)
    await call("db.commit", tx=inner)
    await call("db.commit", tx=tx)
    assert await code_of(call("db.commit", tx=tx)) == "TRANSACTION_CLOSED"
    found = await call("db.find", table="users", columns=["email"], order_by="email")
    assert [row["email"] for row in found] == ["before", "kept"]
    await scope.close()
    assert await emails(connection) == []


async def test_calls_at_once(call: Rehearsed) -> None:
    rows = [call("db.insert", table="users", data={"email": str(number)}) for number in range(20)]
    counts = [call("db.count", table="users") for _ in range(20)]
    await asyncio.gather(*rows, *counts)
    assert await call("db.count", table="users") == 20


async def test_raw_sql_is_part_of_it(services: Services, connection: Connection) -> None:
    scope = new_scope(services)
    call = rehearsed(scope)
    await call("db.insert", table="users", data={"email": "a"})
    rows = await call("db.sql", text="UPDATE users SET plan = 'pro' RETURNING email, plan", params=[])
    assert rows == [{"email": "a", "plan": "pro"}]
    for text in ("COMMIT", "SELECT 1; COMMIT", "ROLLBACK"):
        with pytest.raises(HostError):
            await call("db.sql", text=text, params=[])
    assert await call("db.count", table="users") == 1
    await scope.close()
    assert await emails(connection) == []


async def test_what_would_leave_is_refused(call: Rehearsed, world: World) -> None:
    assert await code_of(call("fetch", url="https://example.com")) == "NOT_REHEARSED"
    assert await code_of(call("invoke", function="send_welcome", payload={})) == "NOT_REHEARSED"
    assert world.invoked == []
    assert await call("secrets.get", name="STRIPE_KEY") == "sk_test_1"
    await call("sleep", ms=0)


async def test_the_rehearsals_own_transaction_cannot_be_ended(
    call: Rehearsed, scope: Scope, connection: Connection
) -> None:
    await call("db.insert", table="users", data={"email": "a"})
    [outermost] = [number for number, open_ in scope.transactions.items() if open_.outer is None]
    for op in ("db.commit", "db.rollback"):
        assert await code_of(call(op, tx=outermost)) == "TRANSACTION_CLOSED"
        with pytest.raises(HostError):
            await call(op)
    assert await call("db.count", table="users") == 1
    await scope.close()
    assert await emails(connection) == []


async def test_a_call_that_is_given_up_takes_nothing_with_it(call: Rehearsed, scope: Scope) -> None:
    await call("db.insert", table="users", data={"email": "a"})
    text = "UPDATE users SET plan = 'pro' FROM pg_sleep(60)"
    slow = asyncio.create_task(call("db.sql", text=text, params=[]))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE users%' AND wait_event = 'PgSleep'"
    async with asyncio.timeout(10):
        while not await scope.services.pool.fetchval(waiting):
            await asyncio.sleep(0.01)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await call("db.find", table="users", columns=["email", "plan"]) == [{"email": "a", "plan": "free"}]
