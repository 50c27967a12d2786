"""How long it takes to read a schema, and to ask whether it has changed:  python -m loadtest.introspection [TABLES]

Method: an embedded PostgreSQL of its own, with TABLES (500) tables of twelve columns (six with defaults), a foreign key
to the table before, three indexes each and one enumeration; ANALYZEd. One connection over its Unix socket. Printed are
the median and the best of ROUNDS readings: the statement alone, putting it together alone, both, both on a connection
that is new (its server process has nothing of the catalogue at hand), the longest that the event loop stands still
during one, and the fingerprint.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from flux.data.schema import assembly, introspect
from flux.store import embedded

TABLES = 500
ROUNDS = 30
TICK_S = 0.0005
COLUMNS = """
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {parent} email text NOT NULL, name varchar(80),
    plan plan NOT NULL DEFAULT 'free', settings jsonb NOT NULL DEFAULT '{{}}', tags text[] NOT NULL DEFAULT '{{}}',
    amount numeric(10, 2), score_{number} double precision DEFAULT 0, active boolean DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz
"""


def table(number: int) -> str:
    parent = f"parent_id bigint REFERENCES t{number - 1}," if number else "parent_id bigint,"
    return (
        f"CREATE TABLE t{number} ({COLUMNS.format(parent=parent, number=number)});"
        f"CREATE INDEX ON t{number} (email); CREATE UNIQUE INDEX ON t{number} (lower(email));"
    )


async def timed(work: Callable[[], Awaitable[Any]]) -> str:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return shown(taken)


def shown(taken: list[float]) -> str:
    """Median and best, in milliseconds."""
    return f"median {statistics.median(taken) * 1000:7.2f} ms   best {min(taken) * 1000:7.2f} ms"


async def longest_gap(work: Callable[[], Awaitable[Any]]) -> float:
    """The longest that the event loop turned to nobody else while this went on, in seconds."""
    reading = asyncio.ensure_future(work())
    longest, last = 0.0, time.perf_counter()
    while not reading.done():
        await asyncio.sleep(TICK_S)
        now = time.perf_counter()
        longest, last = max(longest, now - last - TICK_S), now
    await reading
    return longest


async def measure(url: str, tables: int) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute("CREATE TYPE plan AS ENUM ('free', 'pro');" + "".join(map(table, range(tables))))
        await conn.execute("ANALYZE")
        rows = await conn.fetch(introspect.QUERY, list(introspect.EXCLUDED), False)

        async def assemble() -> None:
            assembly.assemble(rows)

        fresh = [await asyncpg.connect(url) for _ in range(ROUNDS)]

        async def first() -> None:
            await introspect.read_schema(fresh[-1])
            fresh.pop().terminate()

        print(
            f"{tables} tables, {len(rows)} rows of columns and sections, PostgreSQL {conn.get_server_version().major}"
        )
        print("statement     ", await timed(lambda: conn.fetch(introspect.QUERY, list(introspect.EXCLUDED), False)))
        print("put together  ", await timed(assemble))
        print("read_schema   ", await timed(lambda: introspect.read_schema(conn)))
        print("new connection", await timed(first))
        print("loop held up  ", shown([await longest_gap(lambda: introspect.read_schema(conn)) for _ in range(ROUNDS)]))
        print("fingerprint   ", await timed(lambda: introspect.read_fingerprint(conn)))
    finally:
        await conn.close()


def main() -> None:
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else TABLES
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder) / "data")
        try:
            asyncio.run(measure(server.url, tables))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
