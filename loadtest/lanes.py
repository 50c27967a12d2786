"""What single statements cost over the lanes, beside asyncpg's pool: CPU of the client and of Postgres.

    python -m loadtest.lanes [--rounds 10] [--calls 2000] [--in-flight 32] [--size 8]

Method: an embedded Postgres in a throwaway folder; one process on uvloop. A call is the three statements of
`create_user`, one after the other, each a transaction of its own: a select by a unique column, an insert, an insert of
a job. `in-flight` calls are under way at once, on `size` connections. Both ways use the same texts and get text back,
and neither makes JSON of it; they take turns in rounds of `calls`. CPU is that of this process and of Postgres with
all its backends, per call; what stands beside the pool is the median of the ratios inside rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import asyncpg
import uvloop

from flux.store.wire.lanes import Lanes, open_lanes
from flux.store.wire.text import parameter

from . import database

TABLES = """
    CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL);
    CREATE TABLE jobs (id bigserial PRIMARY KEY, payload text NOT NULL);
"""
SELECT = "SELECT id::text FROM users WHERE email = $1"
INSERT = "INSERT INTO users (email, name) VALUES ($1, $2) RETURNING id::text"
ENQUEUE = "INSERT INTO jobs (payload) VALUES ($1) RETURNING id::text"

Run = Callable[[str, str, *tuple[str, ...]], Awaitable[object]]


class Cost(NamedTuple):
    """Microseconds per call."""

    client: float
    postgres: float
    elapsed: float


def over_lanes(lanes: Lanes) -> Run:
    async def run(kind: str, text: str, *values: str) -> object:
        return await lanes.run(text, [parameter(value) for value in values], read=kind == "read")

    return run


def over_pool(pool: asyncpg.Pool[asyncpg.Record]) -> Run:
    async def run(kind: str, text: str, *values: str) -> object:
        async with pool.acquire() as connection:
            return await connection.fetch(text, *values)

    return run


async def one_call(run: Run, number: int) -> None:
    email = f"{number}@example.com"
    await run("read", SELECT, email)
    await run("write", INSERT, email, "Ada")
    await run("write", ENQUEUE, email)


async def measure(server: database.Server, run: Run, numbers: itertools.count[int], calls: int, in_flight: int) -> Cost:
    async def some(count: int) -> None:
        for _ in range(count):
            await one_call(run, next(numbers))

    client, postgres, start = time.process_time(), server.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(some(calls // in_flight) for _ in range(in_flight)))
    done = calls // in_flight * in_flight
    ends = time.process_time() - client, server.cpu_seconds() - postgres, time.perf_counter() - start
    return Cost(*(seconds / done * 1e6 for seconds in ends))


async def run(rounds: int, calls: int, in_flight: int, size: int) -> None:
    async with database.scratch() as (_, server):
        url = await server.create("lanes")
        pool = await asyncpg.create_pool(url, min_size=size, max_size=size)
        lanes = open_lanes(url, size, statement_timeout_ms=15_000)
        await pool.execute(TABLES)
        ways = {"pool": over_pool(pool), "lanes": over_lanes(lanes)}
        numbers = itertools.count()
        found: dict[str, list[Cost]] = {who: [] for who in ways}
        for turn in range(rounds + 1):
            for who, way in ways.items():
                cost = await measure(server, way, numbers, calls, in_flight)
                if turn:  # the first warms up
                    found[who].append(cost)
        await lanes.close()
        await pool.close()
    for who, costs in found.items():
        for field in Cost._fields:
            of = [getattr(cost, field) for cost in costs]
            ratio = statistics.median(a / getattr(b, field) for a, b in zip(of, found["pool"], strict=True))
            print(f"{who:6} {field:9} {statistics.median(of):7.1f} µs a call ({ratio:.2f} x)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--size", type=int, default=8)
    given = parser.parse_args()
    uvloop.run(run(given.rounds, given.calls, given.in_flight, given.size))


if __name__ == "__main__":
    main()
