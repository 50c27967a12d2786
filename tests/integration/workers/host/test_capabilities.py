"""queue, secrets, invoke, timers, and the registry itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import orjson
import pytest

from flux.failure import HostError
from flux.store.pool import Connection
from flux.workers.host import queue
from flux.workers.host.registry import OPERATIONS, SPANNED, answer
from flux.workers.host.scope import Scope
from tests.integration.workers.host.conftest import Call, World


async def fails(call: Call, op: str, /, **args: Any) -> HostError:
    with pytest.raises(HostError) as caught:
        await call(op, **args)
    return caught.value


async def test_push(call: Call, scope: Scope, connection: Connection, world: World) -> None:
    scope.tenant = "acme"
    answer = await call("queue.push", function="send_welcome", payload={"id": 7}, delay_ms=60_000, priority=5)
    row = await connection.fetchrow("SELECT * FROM flux.jobs")
    assert row is not None
    assert str(row["job_id"]) == answer["job_id"]
    assert (row["function"], orjson.loads(row["payload"]), row["tenant"]) == ("send_welcome", {"id": 7}, "acme")
    assert (row["priority"], row["max_attempts"], row["parent_request_id"]) == (5, 3, UUID(bytes=scope.request_id))
    assert row["run_at"].timestamp() > time.time() + 30
    assert world.nudges == 0  # nothing to do yet
    await call("queue.push", function="send_welcome", payload={"id": 8})
    assert world.nudges == 1


async def test_push_once_per_key(call: Call) -> None:
    answers = [
        await call("queue.push", function="send_welcome", payload=None, idempotency_key="k", max_attempts=1)
        for _ in range(2)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("args", "code", "status"),
    [
        ({"function": "nobody"}, "FUNCTION_NOT_FOUND", 404),
        ({"function": ""}, "INVALID_ARGUMENT", 400),
        ({}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "payload": "x" * 1024 * 1024}, "PAYLOAD_TOO_LARGE", 413),
        ({"function": "send_welcome", "delay_ms": -1}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "delay_ms": queue.MAX_DELAY_MS + 1}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "priority": 10**6}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "max_attempts": 0}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "idempotency_key": "k" * 256}, "INVALID_ARGUMENT", 400),
        ({"function": "send_welcome", "idempotency_key": 5}, "INVALID_ARGUMENT", 400),
    ],
)
async def test_push_refused(call: Call, world: World, args: Any, code: str, status: int) -> None:
    error = await fails(call, "queue.push", **args)
    assert (error.code, error.status) == (code, status)
    assert world.nudges == 0


async def test_secrets(call: Call) -> None:
    assert await call("secrets.get", name="STRIPE_KEY") == "sk_test_1"
    error = await fails(call, "secrets.get", name="STRIPE_KEI")
    assert (error.code, error.status) == ("SECRET_NOT_FOUND", 404)
    assert "FLUX_SECRET_STRIPE_KEI" in error.message
    assert 'Did you mean "STRIPE_KEY"?' in error.message


async def test_invoke(call: Call, world: World) -> None:
    assert await call("invoke", function="send_welcome", input={"a": [1]}) == {"a": [1]}
    assert world.invoked == [("send_welcome", b'{"a":[1]}')]
    assert (await fails(call, "invoke", function="send_welcom")).message.endswith('Did you mean "send_welcome"?')


@pytest.mark.parametrize("op", ["timer", "sleep"])
async def test_waits(call: Call, op: str) -> None:
    started = time.monotonic()
    assert await call(op, ms=20) is None
    assert time.monotonic() - started >= 0.02
    assert await call(op, ms=-5) is None
    for bad in (2**31, "5", None, True):
        assert (await fails(call, op, ms=bad)).code == "INVALID_ARGUMENT"


async def test_waits_can_be_cancelled(call: Call) -> None:
    task = asyncio.create_task(call("sleep", ms=60_000))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_registry(scope: Scope) -> None:
    for op, args, code in (
        ("db.fnd", b"{}", "UNKNOWN_OPERATION"),
        ("sleep", b"[]", "INVALID_ARGUMENT"),
        ("sleep", b"{", "INVALID_ARGUMENT"),
        ("sleep", b'{"ms":"\\ud800"}', "INVALID_ARGUMENT"),
    ):
        with pytest.raises(HostError) as caught:
            await answer(scope, op, args)
        assert caught.value.code == code
        assert orjson.loads(caught.value.payload())["code"] == code
    assert not set(OPERATIONS) & set(SPANNED)
    assert len(OPERATIONS) + len(SPANNED) == 21 + 12
