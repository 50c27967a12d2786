"""What `ctx.db.findOne` costs on the host's side, over the same query written by hand with asyncpg.

    python -m loadtest.host_db --database postgresql://... [--rounds 40] [--calls 250]

Method: one connection, one row by primary key, no isolate and no record. Both take turns in rounds of `calls`, in one
process on uvloop; each call is timed on its own. By hand = acquire from the same pool, fetchrow, JSON, release.
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import orjson
import uvloop

from flux import config
from flux.manifest import FunctionSpec
from flux.store.pool import Pool, open_pool
from flux.store.wire.lanes import Lanes, open_lanes
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services

TABLE = "flux_host_db_bench"
ROWS = 1000
SPEC = FunctionSpec(name="bench", version="0" * 64, source="bench.ts", routes=())


async def refuse(scope: Scope, function: str, payload: bytes) -> bytes:
    raise NotImplementedError


async def timed(call: Callable[[], Awaitable[bytes]], calls: int) -> list[float]:
    """Microseconds of each call."""
    found = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        await call()
        found.append((time.perf_counter_ns() - start) / 1000)
    return found


async def measure(pool: Pool, lanes: Lanes, rounds: int, calls: int) -> dict[str, list[float]]:
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
    args = orjson.dumps({"table": TABLE, "where": {"id": 500}})
    text = f'SELECT id, email, plan, created_at FROM "{TABLE}" WHERE id = $1 LIMIT 1'  # noqa: S608  # a constant

    async def host() -> bytes:
        return await answer(scope, "db.findOne", args)

    async def by_hand() -> bytes:
        async with pool.acquire() as connection:
            row = await connection.fetchrow(text, 500)
        return orjson.dumps(dict(row) if row else None)

    found: dict[str, list[float]] = {"host": [], "by hand": []}
    await timed(host, calls)
    await timed(by_hand, calls)
    for _ in range(rounds):
        found["host"] += await timed(host, calls)
        found["by hand"] += await timed(by_hand, calls)
    await scope.close()
    await services.close()
    return found


async def run(url: str, rounds: int, calls: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"""
        DROP TABLE IF EXISTS {TABLE};
        CREATE TABLE {TABLE} (id serial PRIMARY KEY, email text NOT NULL, plan text NOT NULL, created_at timestamptz);
        INSERT INTO {TABLE} (email, plan, created_at)
            SELECT n || '@example.com', 'free', now() FROM generate_series(1, {ROWS}) AS n;
        ANALYZE {TABLE};
    """)  # noqa: S608  # constants
    lanes = open_lanes(url, 1, statement_timeout_ms=15_000)
    try:
        async with await open_pool(url, 1, statement_timeout_ms=15_000) as pool:
            found = await measure(pool, lanes, rounds, calls)
    finally:
        await lanes.close()
        await connection.execute(f"DROP TABLE {TABLE}")
        await connection.close()
    for name, times in found.items():
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"{name:8} p50 {p50:7.1f} µs   p99 {p99:7.1f} µs   {len(times)} calls")
    medians = [
        statistics.median(found["host"][at : at + calls]) - statistics.median(found["by hand"][at : at + calls])
        for at in range(0, rounds * calls, calls)
    ]
    print(f"overhead p50 {statistics.median(medians):.1f} µs (median of {rounds} rounds)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="URL of a database in which a table may be made")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=250)
    given = parser.parse_args()
    uvloop.run(run(given.database, given.rounds, given.calls))


if __name__ == "__main__":
    main()
