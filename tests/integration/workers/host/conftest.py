"""Host calls against a real Postgres.

services    one worker's, on a pool of four
offline     one worker's, without a database
scope       one execution's
call        `await call("db.find", table="users")` gives the parsed result, or raises HostError
tables      makes tables from SQL
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from flux import config
from flux.manifest import FunctionSpec
from flux.store.pool import Connection, Pool
from flux.store.wire.lanes import open_lanes
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
Call = Callable[..., Coroutine[Any, Any, Any]]
Tables = Callable[[str], Awaitable[None]]


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Returns when `condition` holds; for states that give no sign of their own."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # see above
            await asyncio.sleep(0.001)


@dataclass
class World:
    """What the worker around the host calls saw."""

    nudges: int = 0
    invoked: list[tuple[str, bytes]] = field(default_factory=list)

    def nudge(self) -> None:
        self.nudges += 1

    async def invoke(self, scope: Scope, function: str, payload: bytes) -> bytes:
        self.invoked.append((function, payload))
        return payload


def spec(name: str, **more: Any) -> FunctionSpec:
    return FunctionSpec(name=name, version="0" * 64, source=f"{name}.ts", routes=(), **more)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def services(pool: Pool, database_url: str, world: World, tmp_path: Path) -> AsyncIterator[Services]:
    functions = {"caller": spec("caller"), "send_welcome": spec("send_welcome", max_attempts=3)}
    lanes = open_lanes(database_url, 4, statement_timeout_ms=15_000)
    services = Services(
        pool=pool,
        lanes=lanes,
        settings=config.load(tmp_path, env={}),
        secrets={"STRIPE_KEY": "sk_test_1"},
        functions=lambda: functions,
        invoke=world.invoke,
        nudge=world.nudge,
    )
    yield services
    await services.close()
    await lanes.close()


@pytest.fixture
async def offline(world: World, tmp_path: Path) -> AsyncIterator[Services]:
    """A worker's services for calls that need no database."""
    functions = {"caller": spec("caller")}
    services = Services(
        pool=asyncpg.create_pool(NOWHERE),  # never opened
        lanes=open_lanes(NOWHERE, 1, statement_timeout_ms=0),
        settings=config.load(tmp_path, env={}),
        secrets={},
        functions=lambda: functions,
        invoke=world.invoke,
        nudge=world.nudge,
    )
    yield services
    await services.close()


@pytest.fixture
async def scope(services: Services) -> AsyncIterator[Scope]:
    scope = new_scope(services)
    yield scope
    await scope.close()


def new_scope(services: Services, **more: Any) -> Scope:
    return Scope(services=services, spec=spec("caller"), request_id=uuid.uuid4().bytes, **more)


def caller(scope: Scope) -> Call:
    async def call(op: str, /, **args: Any) -> Any:
        return orjson.loads(await answer(scope, op, orjson.dumps(args)))

    return call


@pytest.fixture
def call(scope: Scope) -> Call:
    return caller(scope)


@pytest.fixture
async def tables(connection: Connection) -> Tables:
    async def make(sql: str) -> None:
        await connection.execute(sql)

    return make


@pytest.fixture
async def users(tables: Tables) -> None:
    await tables(
        """
        CREATE TABLE users (
            id serial PRIMARY KEY,
            email text NOT NULL UNIQUE,
            plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro')),
            age integer,
            referrer integer REFERENCES users
        )
        """
    )
