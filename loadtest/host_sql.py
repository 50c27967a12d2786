"""What `ctx.db.sql` and transactions cost on the host's side, by how raw SQL runs (flux/workers/host/login.py).

    python -m loadtest.host_sql --database postgresql://... [--rounds 20] [--calls 100]

Method: one row by primary key of a table of 1,000, read or updated, one call after the other, no isolate and no record;
the ways take turns in rounds of `calls`. The database's user must be allowed to make roles. `fsync` counts in writes.
"""

from __future__ import annotations

import argparse
import statistics
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvloop

from flux import config
from flux.data.schema.introspect import read_schema
from flux.manifest import DatabaseUse, FunctionSpec
from flux.store import policies as store
from flux.store.mutations.install import install
from flux.store.pool import Connection, open_pool
from flux.store.protection import apply
from flux.store.wire.lanes import open_lanes
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services

from .host_db import refuse, timed

TABLE = "flux_host_sql_bench"
ROWS = 1000
SPEC = FunctionSpec(name="bench", version="0" * 64, source="bench.ts", routes=(), db=DatabaseUse(sql=True))
USER = {"id": "u1", "role": "member"}
POLICY = {"member": {"select": {"where": "owner = $auth.uid"}, "update": {"where": "owner = $auth.uid"}}}
READ = f"SELECT id, body FROM {TABLE} WHERE id = $1"  # noqa: S608  a constant
WRITE = f"UPDATE {TABLE} SET body = $2 WHERE id = $1"  # noqa: S608  a constant


@asynccontextmanager
async def worker(url: str, **settings: Any) -> AsyncIterator[Scope]:
    lanes = open_lanes(url, 1, statement_timeout_ms=15_000)
    async with await open_pool(url, 1, statement_timeout_ms=15_000) as pool:
        services = Services(
            pool=pool,
            lanes=lanes,
            settings=config.load(Path.cwd(), {"database.url": url, **settings}, env={}),
            secrets={},
            functions=lambda: {SPEC.name: SPEC},
            invoke=refuse,
            nudge=lambda: None,
        )
        scope = Scope(services=services, spec=SPEC, request_id=uuid.uuid4().bytes, user=USER)
        yield scope
        await scope.close()
        await services.close()
        await lanes.close()


async def protect(connection: Connection, documents: Mapping[str, Any]) -> None:
    schema = await read_schema(connection)
    async with connection.transaction():
        await store.remove(connection, TABLE, schema)
        for table, document in documents.items():
            await store.save(connection, table, document, schema, source="api")
        await apply(connection, schema, (await store.load(connection, schema)).policies)


async def measure(scope: Scope, rounds: int, calls: int) -> dict[str, float]:
    """Medians in µs."""

    def call(op: str, **args: Any) -> Callable[[], Awaitable[bytes]]:
        encoded = orjson.dumps(args)
        return lambda: answer(scope, op, encoded, 3)

    async def transaction() -> bytes:
        number = orjson.loads(await answer(scope, "db.begin", b"{}", 3))["tx"]
        where = orjson.dumps({"table": TABLE, "where": {"id": 500}, "data": {"body": "t"}, "tx": number})
        await answer(scope, "db.update", where, 4)
        return await answer(scope, "db.commit", orjson.dumps({"tx": number}), 5)

    ways = {
        "read": call("db.sql", text=READ, params=[500]),
        "write": call("db.sql", text=WRITE, params=[500, "w"]),
        "transaction of one update": transaction,
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, work in ways.items():
            times = await timed(work, calls)
            found[way] += times if number else []
    return {way: statistics.median(times) for way, times in found.items()}


async def run(url: str, rounds: int, calls: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"""
        DROP TABLE IF EXISTS {TABLE};
        CREATE TABLE {TABLE} (id serial PRIMARY KEY, owner text NOT NULL, body text NOT NULL);
        INSERT INTO {TABLE} (owner, body) SELECT 'u1', n::text FROM generate_series(1, {ROWS}) AS n;
        ANALYZE {TABLE};
    """)  # noqa: S608  # constants
    await install(connection)
    try:
        for title, documents, settings in (
            ("no policies, as Flux' own user", {}, {"database.sql": "all"}),
            ("no policies, as the login", {}, {}),
            ("policies, as the login", {TABLE: POLICY}, {}),
        ):
            await protect(connection, documents)
            async with worker(url, **settings) as scope:
                for way, median in (await measure(scope, rounds, calls)).items():
                    print(f"{title:32} {way:26} p50 {median:7.1f} µs")
    finally:
        await protect(connection, {})
        await connection.execute(f"DROP TABLE {TABLE}")
        await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="URL of a database that `flux serve` has been used with")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=100)
    given = parser.parse_args()
    uvloop.run(run(given.database, given.rounds, given.calls))


if __name__ == "__main__":
    main()
