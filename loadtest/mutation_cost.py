"""What a mutation record costs the statement that it belongs to.

    python -m loadtest.mutation_cost [--calls 4000] [--bulk 50000] [--json]

Method: an embedded Postgres in a throwaway folder; tables alike (five columns, primary key and one index) that differ
in their triggers only; one asyncpg connection with prepared statements, single rows, each statement its own transaction
and one round trip. The tables take turns call by call, so that what else the machine does hits all of them. The
recorded statements set the request's identity themselves, as the engine's do. Medians, and their ratio to the table
without triggers. `commit` says whether a commit waits for the disk (Postgres' default) or not, which leaves the CPU.

    plain      no triggers
    recorded   Flux's triggers, with event triggers (a superuser made them): the embedded server
    guarded    the same where nobody may make event triggers: functions check the table's columns first
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import orjson

from flux.data.mutation.identity import identity
from flux.store import migrate
from flux.store.mutations import weeks
from flux.store.mutations.install import install, install_event_triggers
from flux.store.pool import Connection

from . import database

TABLES = ("plain", "recorded", "guarded")
WARM_UP = 200

TABLE = """
CREATE TABLE {0} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, name text, plan text,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX ON {0} (email);
"""
INSERT = "INSERT INTO plain (email, name, plan) VALUES ($1, $2, $3) RETURNING *"
UPDATE = "UPDATE plain SET name = $1 WHERE id = $2 RETURNING *"
WITH_IDENTITY = {
    INSERT: "INSERT INTO {0} (email, name, plan) SELECT $1, $2, $3 "
    "WHERE (SELECT set_config('flux.identity', $4, true)) IS NOT NULL RETURNING *",
    UPDATE: "UPDATE {0} SET name = $1 WHERE id = $2 "
    "AND (SELECT set_config('flux.identity', $3, true)) IS NOT NULL RETURNING *",
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One statement on one table; `ratio` to the plain table."""

    statement: str
    table: str
    commit: str
    us: float
    ratio: float


async def measure(url: str, superuser_url: str, calls: int, bulk: int) -> list[Figure]:
    conn = await asyncpg.connect(url)
    try:
        await _prepare(conn, superuser_url)
        figures = []
        for commit in ("on", "off"):
            await conn.execute(f"SET synchronous_commit = {commit}")
            figures += await _single(conn, commit, calls)
        return figures + await _bulk(conn, bulk)
    finally:
        await conn.close()


async def _prepare(conn: Connection, superuser_url: str) -> None:
    await migrate.migrate(conn)
    await weeks.ensure_weeks(conn, datetime.now(UTC).date())
    for table in TABLES:
        await conn.execute(TABLE.format(table))
    await install(conn, unmanaged=["plain"])
    # Functions made before the event triggers stay guarded until the next `install`.
    superuser = await asyncpg.connect(superuser_url)
    try:
        if not await install_event_triggers(superuser):
            raise RuntimeError("the superuser may not make event triggers")
    finally:
        await superuser.close()
    await conn.execute("SELECT flux.manage('recorded'::regclass)")


async def _single(conn: Connection, commit: str, calls: int) -> list[Figure]:
    who = identity(
        request_id=str(uuid4()), span=3, function="create_user", version="4f9a3b2c", actor="key:1", tenant="a"
    )
    figures = []
    for kind, text in (("insert", INSERT), ("update", UPDATE)):
        statements = {
            table: await conn.prepare(text if table == "plain" else WITH_IDENTITY[text].format(table))
            for table in TABLES
        }
        took: dict[str, list[float]] = {table: [] for table in TABLES}
        for call in range(1, calls + WARM_UP + 1):
            values = ("ada@example.com", "Ada", "free") if kind == "insert" else (f"Ada {commit} {call}", call)
            for table in TABLES:
                arguments = values if table == "plain" else (*values, who)
                start = time.perf_counter()
                await statements[table].fetch(*arguments)
                took[table].append(time.perf_counter() - start)
        figures += _compare(kind, commit, {table: statistics.median(took[table][WARM_UP:]) for table in TABLES})
    return figures


async def _bulk(conn: Connection, rows: int) -> list[Figure]:
    """One statement for many rows; per row."""
    figures = []
    for kind, text in (
        (
            "insert many",
            f"INSERT INTO {{0}} (email, name, plan) SELECT i || '@x', 'bulk', 'free' FROM generate_series(1, {rows}) i",  # noqa: S608 (a number)
        ),
        ("update many", "UPDATE {0} SET plan = 'pro' WHERE name = 'bulk'"),
        ("delete many", "DELETE FROM {0} WHERE name = 'bulk'"),
    ):
        took = {}
        for table in TABLES:
            start = time.perf_counter()
            await conn.execute(text.format(table))
            took[table] = (time.perf_counter() - start) / rows
        figures += _compare(kind, "off", took)
    return figures


def _compare(statement: str, commit: str, took: dict[str, float]) -> list[Figure]:
    return [
        Figure(
            statement=statement,
            table=table,
            commit=commit,
            us=round(took[table] * 1e6, 1),
            ratio=round(took[table] / took["plain"], 2),
        )
        for table in TABLES
    ]


async def run(calls: int, bulk: int) -> list[Figure]:
    async with database.scratch() as (_, server):
        url = await server.create("mutation_cost")
        return await measure(url, url.replace("//flux@", "//postgres@"), calls, bulk)


def table(figures: Sequence[Figure]) -> str:
    lines = ["| statement | commit waits | table | median µs | ratio |", "|---|---|---|---|---|"]
    lines += [f"| {f.statement} | {f.commit} | {f.table} | {f.us:.1f} | {f.ratio:.2f} |" for f in figures]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="mutation_cost", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=4000, help="single statements of each kind on each table")
    parser.add_argument("--bulk", type=int, default=50_000, help="rows of a statement for many")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(run(options.calls, options.bulk))
    print(orjson.dumps([asdict(figure) for figure in figures]).decode() if options.json else table(figures))


if __name__ == "__main__":
    main()
