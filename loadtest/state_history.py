"""How long the history of one row takes among many mutations.

    python -m loadtest.state_history [--mutations 10000000] [--rows 1000000] [--weeks 53] [--json]

Method: an embedded Postgres in a throwaway folder (some 6 GB for 10 million); mutations of one table, spread evenly
over its rows and over the partitions of the weeks, written in bulk; then the code behind `flux state` on one
connection, for rows chosen at random. `first` is the very first call on a connection, which reads the catalogue of all
partitions. The time is that of everything the API does below HTTP: finding table and row, the page of 50 mutations,
version numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from flux.store import migrate
from flux.store.mutations import state, weeks
from flux.store.mutations.install import install
from flux.store.mutations.tables import Row, find_row, find_table, snapshot
from flux.store.pool import Connection

from . import database

CALLS = 200
BATCH = 500_000  # mutations written by one statement: what a person can watch, and stop
SEED = 7

LOAD = """
INSERT INTO flux.mutations (at, id, row, request_id, transaction, table_id, span, operation, key, function,
    code_version, actor, tenant, changed, old, new)
SELECT $1::timestamptz + (g::float8 / $2) * $3::interval, g, hashtextextended('[' || k || ']', $6), gen_random_uuid(),
    '1'::xid8, $6, 3, CASE WHEN g < $7 THEN 'insert' ELSE 'update' END, '[' || k || ']', 'create_user', '4f9a3b2c',
    'key:1', 'acme', CASE WHEN g < $7 THEN NULL ELSE '{email}'::text[] END,
    CASE WHEN g < $7 THEN NULL
        ELSE json_build_object('id', k, 'email', g - 1 || '@example.com', 'name', 'Ada', 'plan', 'free') END,
    json_build_object('id', k, 'email', g || '@example.com', 'name', 'Ada', 'plan', 'free')
FROM generate_series($4::bigint, $5::bigint) g, LATERAL (SELECT 1 + (g * 7919) % $7 AS k) row_number
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Milliseconds of one question."""

    question: str
    first: float
    median: float
    p99: float


async def load(conn: Connection, mutations: int, rows: int, number: int) -> None:
    await conn.execute("CREATE TABLE users (id bigint PRIMARY KEY, email text, name text, plan text)")
    await migrate.migrate(conn)
    await install(conn)
    table = await find_table(conn, "users")
    span = timedelta(weeks=number - 1)
    start = datetime.now(UTC) - span
    await weeks.ensure(conn, [start.date() + timedelta(weeks=week) for week in range(number)])
    for first in range(0, mutations, BATCH):
        last = min(first + BATCH, mutations) - 1
        await conn.execute(LOAD, start, float(mutations), span, first, last, table.id, rows)
    await conn.execute("VACUUM ANALYZE flux.mutations")


async def measure(url: str, rows: int) -> list[Figure]:
    chosen = random.Random(SEED)  # noqa: S311 (rows to ask for)

    async def history(conn: Connection, row: Row) -> Any:
        return await state.history(conn, row)

    async def blame(conn: Connection, row: Row) -> Any:
        return await state.blame(conn, row)

    async def at(conn: Connection, row: Row) -> Any:
        return await state.at_row(conn, row, datetime.now(UTC) - timedelta(days=chosen.randrange(1, 300)))

    questions: dict[str, Callable[[Connection, Row], Awaitable[Any]]] = {"history": history, "blame": blame, "at": at}
    figures = []
    for name, question in questions.items():
        conn = await asyncpg.connect(url)
        try:
            took = []
            for _ in range(CALLS):
                start = time.perf_counter()
                async with snapshot(conn):
                    row = await find_row(conn, await find_table(conn, "users"), str(chosen.randrange(1, rows)))
                    await question(conn, row)
                took.append((time.perf_counter() - start) * 1000)
        finally:
            await conn.close()
        steady = sorted(took[1:])
        figures.append(
            Figure(
                question=name,
                first=round(took[0], 1),
                median=round(statistics.median(steady), 2),
                p99=round(steady[int(len(steady) * 0.99)], 2),
            )
        )
    return figures


async def run(mutations: int, rows: int, number: int) -> list[Figure]:
    async with database.scratch() as (_, server):
        url = await server.create("state_history")
        conn = await asyncpg.connect(url)
        try:
            await load(conn, mutations, rows, number)
        finally:
            await conn.close()
        await server.checkpoint()
        return await measure(url, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="state_history", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutations", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--weeks", type=int, default=53)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(run(options.mutations, options.rows, options.weeks))
    if options.json:
        print(orjson.dumps([asdict(figure) for figure in figures]).decode())
        return
    print("| question | first ms | median ms | p99 ms |\n|---|---|---|---|")
    for figure in figures:
        print(f"| {figure.question} | {figure.first} | {figure.median} | {figure.p99} |")


if __name__ == "__main__":
    main()
