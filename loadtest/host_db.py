"""What the data engine, and `ctx.db` on the host's side, cost over the same statement written by hand with asyncpg.

    python -m loadtest.host_db [--rounds 40] [--calls 250]

Method: an embedded Postgres in a throwaway folder; no isolate and no record of the execution. One call at a time, in
one process on uvloop; each call is timed on its own, to the answer's JSON.
findById: one row of a thousand by its primary key; all take turns in rounds of `calls`. insert: one row, a transaction
of its own that waits for the disk; the engine's table has Flux's triggers and gets a mutation record, the other has
none. Here they take turns call by call: how long a commit waits depends on what was written before it.

    by hand   a prepared statement on a connection that is kept, and the row as JSON
    engine    from the query's document (shape, guard, policies, plan, parameters) on the same connection
    ctx.db    a host call from its JSON, over the lanes
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import orjson
import uvloop

from flux import config
from flux.data.engine import Engine
from flux.data.policy.model import NOBODY
from flux.data.schema.introspect import read_schema
from flux.manifest import FunctionSpec
from flux.store import migrate
from flux.store.mutations import weeks
from flux.store.mutations.install import install
from flux.store.pool import open_pool
from flux.store.wire.lanes import open_lanes
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services

from . import database

# ruff: noqa: S608  # the texts are made of constants

ROWS = 1000
SPEC = FunctionSpec(name="bench", version="0" * 64, source="bench.ts", routes=())
TABLES = "".join(
    f"""
    CREATE TABLE {name} (id serial PRIMARY KEY, email text NOT NULL UNIQUE, plan text NOT NULL, created_at timestamptz);
    INSERT INTO {name} (email, plan, created_at)
        SELECT n || '@example.com', 'free', now() FROM generate_series(1, {ROWS}) AS n;
    ANALYZE {name};
    """
    for name in ("recorded", "plain")
)
SELECT = "SELECT id, email, plan, created_at FROM plain WHERE id = $1 LIMIT 1"
INSERT = "INSERT INTO plain (email, plan) VALUES ($1, $2) RETURNING id, email, plan, created_at"

Calls = dict[str, Callable[[], Awaitable[bytes]]]


async def refuse(scope: Scope, function: str, payload: bytes) -> bytes:
    raise NotImplementedError


def contenders(scope: Scope, connection: asyncpg.Connection[asyncpg.Record], engine: Engine) -> dict[str, Calls]:
    """By what they do; "by hand" is the baseline of each."""
    numbers = itertools.count()

    def user() -> dict[str, str]:
        return {"email": f"new {next(numbers)}", "plan": "free"}

    async def by_hand(text: str, *values: object) -> bytes:
        row = await connection.fetchrow(text, *values)
        return orjson.dumps(dict(row) if row else None)

    async def by_engine(document: object) -> bytes:
        plan, values = engine.plan(document, NOBODY.role)
        parameters = plan.parameters(values, NOBODY, scope.identity(3) if plan.writes else None)
        return plan.answer([str(row[0]).encode() for row in await connection.fetch(plan.text, *parameters)])

    find = {"table": "recorded", "operation": "select", "one": True, "where": {"id": 500}}

    def insert(data: dict[str, str]) -> dict[str, object]:
        return {"table": "recorded", "operation": "insert", "data": data}

    return {
        "findById": {
            "by hand": lambda: by_hand(SELECT, 500),
            "engine": lambda: by_engine(find),
            "ctx.db": lambda: answer(scope, "db.findById", b'{"table":"recorded","id":500}'),
        },
        "insert": {
            "by hand": lambda: by_hand(INSERT, *user().values()),
            "engine": lambda: by_engine(insert(user())),
            "ctx.db": lambda: answer(scope, "db.insert", orjson.dumps(insert(user())), span=3),
        },
    }


async def measure(url: str, superuser_url: str, rounds: int, calls: int) -> dict[str, dict[str, list[float]]]:
    """Microseconds of each call, by what is done and by whom."""
    connection = await asyncpg.connect(url)
    await migrate.migrate(connection)
    await weeks.ensure_weeks(connection, datetime.now(UTC).date())
    await connection.execute(TABLES)
    superuser = await asyncpg.connect(superuser_url)
    await install(connection, unmanaged=["plain"], superuser=superuser)
    await superuser.close()
    lanes = open_lanes(url, 1, statement_timeout_ms=15_000)
    async with await open_pool(url, 1, statement_timeout_ms=15_000) as pool:
        services = Services(
            pool=pool,
            lanes=lanes,
            settings=config.load(Path.cwd(), env={}),
            secrets={},
            functions=lambda: {SPEC.name: SPEC},
            invoke=refuse,
            nudge=lambda: None,
        )
        scope = Scope(services=services, spec=SPEC, request_id=uuid.uuid4().bytes)
        named = contenders(scope, connection, Engine(await read_schema(connection)))
        found: dict[str, dict[str, list[float]]] = {what: {who: [] for who in calls_} for what, calls_ in named.items()}
        for number in range(rounds + 1):
            for what, by in named.items():
                turns, length = (1, calls) if what == "findById" else (calls, 1)
                for _ in range(turns):
                    for who, call in by.items():
                        times = await timed(call, length)
                        if number:  # the first warms up
                            found[what][who] += times
        await scope.close()
        await services.close()
    await lanes.close()
    await connection.close()
    return found


async def timed(call: Callable[[], Awaitable[bytes]], calls: int) -> list[float]:
    found = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        await call()
        found.append((time.perf_counter_ns() - start) / 1000)
    return found


async def run(rounds: int, calls: int) -> None:
    async with database.scratch() as (_, server):
        url = await server.create("host_db")
        found = await measure(url, url.replace("//flux@", "//postgres@"), rounds, calls)
    for what, by in found.items():
        baseline = statistics.median(by["by hand"])
        for who, times in by.items():
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            print(
                f"{what:9} {who:8} p50 {p50:7.1f} µs ({p50 / baseline:.2f} x)   p99 {p99:7.1f} µs   {len(times)} calls"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=250)
    given = parser.parse_args()
    uvloop.run(run(given.rounds, given.calls))


if __name__ == "__main__":
    main()
