"""How to store spans: a row for each, or all of an execution packed into one JSON value of its row?

    python -m loadtest.record_layout [--total 100000] [--rounds 3] [--spans 2 5 25]

Both layouts are filled by binary COPY with tuples made here, in batches of 500 executions, into day partitions of a
real PostgreSQL with the same indexes on executions; the layouts take turns, and the median of the rounds is shown.
Reading fetches whole traces by ID, in random order, one at a time. `packed, uncompressed` keeps Postgres from
compressing spans (pglz) when a row exceeds 2 KB.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import struct
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from flux.record.row import COLUMNS, POSTGRES_EPOCH_US, ExecutionRow, encode
from flux.store import migrate
from flux.store.copy import HEADER, TRAILER, copy_rows
from flux.store.pool import Connection

from . import database

BATCH = 500
READS = 300

SPANS_TABLE = """
CREATE TABLE spans (
    request_id uuid NOT NULL, started_at timestamptz NOT NULL, id int NOT NULL, parent int NOT NULL, kind text NOT NULL,
    name text NOT NULL, start_us bigint NOT NULL, duration_us bigint NOT NULL, status text NOT NULL,
    input json, output json, attributes json,
    PRIMARY KEY (request_id, id, started_at)
) PARTITION BY RANGE (started_at);
CREATE TABLE spans_today PARTITION OF spans FOR VALUES FROM ('2020-01-01') TO ('2099-01-01');
"""
SPAN_COLUMNS = (
    "request_id",
    "started_at",
    "id",
    "parent",
    "kind",
    "name",
    "start_us",
    "duration_us",
    "status",
    "input",
    "output",
    "attributes",
)
READ_EXECUTION = "SELECT * FROM flux.executions WHERE request_id = $1"
READ_SPANS = "SELECT * FROM spans WHERE request_id = $1 ORDER BY id"

_ids_of_span = struct.Struct(">hi16siqiiii").pack
_times_of_span = struct.Struct(">iqiq").pack


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one layout in one round; per execution unless it says otherwise."""

    executions_per_s: float
    client_cpu_us: float
    server_cpu_us: float
    disk_bytes: float
    wal_bytes: float
    read_ms: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    name: str
    prepare: str
    write: Callable[[Connection, Sequence[Execution]], Any]
    read: Callable[[Connection, uuid.UUID], Any]


Execution = tuple[ExecutionRow, list[dict[str, Any]]]


def execution(spans: int) -> Execution:
    """Like create_user: gateway, function, then database calls with their parameters and rows."""
    users = [
        {"id": random.getrandbits(40), "email": f"{uuid.uuid4().hex}@example.com", "name": random.randbytes(9).hex()}  # noqa: S311
        for _ in range(spans)
    ]
    made = [
        {
            "id": number,
            "parent": 0 if number < 2 else 1,
            "kind": "db" if number >= 2 else ("gateway", "function")[number],
            "name": "db:insert(users)" if number >= 2 else ("gateway", "create_user")[number],
            "start_us": 900 * number,
            "duration_us": 740 + number,
            "status": "ok",
            "input": {"table": "users", "data": user} if number >= 2 else None,
            "output": [user] if number >= 2 else None,
            "attributes": {"auth": "ok", "cors": "ok", "rate_limit": "ok"} if number == 0 else {},
        }
        for number, user in enumerate(users)
    ]
    row = ExecutionRow(
        request_id=uuid.uuid4().bytes,
        parent_request_id=None,
        replay_of=None,
        kind="http",
        tenant="acme",
        method="POST",
        path="/create_user",
        route="/create_user",
        function="create_user",
        code_version="ab" * 32,
        status=200,
        error=None,
        started_us=time.time_ns() // 1000,
        duration_us=98_000,
        seed=random.randbytes(32),  # noqa: S311
        request=b'{"method":"POST","headers":[["content-type","application/json"],["user-agent","load/1.0"]]}',
        input=orjson.dumps(users[0]),
        output=orjson.dumps({"id": users[0]["id"]}),
        spans=b"[]",
        logs=None,
    )
    return row, made


async def write_packed(conn: Connection, batch: Sequence[Execution]) -> None:
    await copy_rows(conn, [encode(_with_spans(row, orjson.dumps(spans))) for row, spans in batch])


def _with_spans(row: ExecutionRow, spans: bytes) -> ExecutionRow:
    return row._replace(spans=spans)


async def write_apart(conn: Connection, batch: Sequence[Execution]) -> None:
    """Both tables in one transaction: half a trace must never be visible."""
    tuples = b"".join((HEADER, *(_span(row, span) for row, spans in batch for span in spans), TRAILER))
    source: Any = memoryview(tuples)
    async with conn.transaction():
        await conn.copy_to_table("spans", columns=SPAN_COLUMNS, format="binary", source=source)
        source = memoryview(b"".join((HEADER, *(encode(_with_spans(row, b"[]")) for row, _ in batch), TRAILER)))
        await conn.copy_to_table("executions", schema_name="flux", columns=COLUMNS, format="binary", source=source)


def _span(row: ExecutionRow, span: dict[str, Any]) -> bytes:
    return b"".join(
        (
            _ids_of_span(
                12, 16, row.request_id, 8, row.started_us - POSTGRES_EPOCH_US, 4, span["id"], 4, span["parent"]
            ),
            _field(span["kind"].encode()),
            _field(span["name"].encode()),
            _times_of_span(8, span["start_us"], 8, span["duration_us"]),
            _field(span["status"].encode()),
            *(_field(orjson.dumps(span[name])) for name in ("input", "output", "attributes")),
        )
    )


def _field(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


async def read_packed(conn: Connection, request_id: uuid.UUID) -> None:
    row = await conn.fetchrow(READ_EXECUTION, request_id)
    assert row is not None
    orjson.loads(row["spans"])


async def read_apart(conn: Connection, request_id: uuid.UUID) -> None:
    await conn.fetchrow(READ_EXECUTION, request_id)
    for row in await conn.fetch(READ_SPANS, request_id):
        orjson.loads(row["input"]), orjson.loads(row["output"]), orjson.loads(row["attributes"])


LAYOUTS = (
    Layout(name="row per span", prepare=SPANS_TABLE, write=write_apart, read=read_apart),
    Layout(name="packed", prepare="", write=write_packed, read=read_packed),
    Layout(
        name="packed, uncompressed",
        prepare="ALTER TABLE flux.executions ALTER spans SET STORAGE EXTERNAL;",
        write=write_packed,
        read=read_packed,
    ),
)


async def measure(server: database.Server, layout: Layout, name: str, executions: list[Execution]) -> Figures:
    conn = await asyncpg.connect(await server.create(name))
    try:
        await migrate.migrate(conn)
        if layout.prepare:
            await conn.execute(layout.prepare)
        await migrate.ensure_partitions(conn, datetime.now(UTC).date())
        await server.checkpoint()
        wal = await conn.fetchval("SELECT pg_current_wal_insert_lsn()")
        server_cpu, client_cpu, start = server.cpu_seconds(), time.process_time(), time.perf_counter()
        for first in range(0, len(executions), BATCH):
            await layout.write(conn, executions[first : first + BATCH])
        took, client_cpu = time.perf_counter() - start, time.process_time() - client_cpu
        server_cpu = server.cpu_seconds() - server_cpu
        count = len(executions)
        return Figures(
            executions_per_s=count / took,
            client_cpu_us=client_cpu / count * 1e6,
            server_cpu_us=server_cpu / count * 1e6,
            disk_bytes=await conn.fetchval(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' "
                "AND (relname LIKE 'executions\\_%' OR relname = 'spans_today')"
            )
            / count,
            wal_bytes=int(await conn.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", wal)) / count,
            read_ms=await _reading(conn, layout, executions),
        )
    finally:
        await conn.close()
        await server.execute(f'DROP DATABASE "{name}"')


async def _reading(conn: Connection, layout: Layout, executions: list[Execution]) -> float:
    times = []
    for row, _ in random.choices(executions, k=READS):  # noqa: S311
        start = time.perf_counter()
        await layout.read(conn, uuid.UUID(bytes=row.request_id))
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


async def compare(total: int, rounds: int, spans: Sequence[int]) -> None:
    print((__doc__ or "").split("\n\n")[2], end="\n\n")
    print(f"{total} spans a round, {rounds} rounds, batches of {BATCH}, one connection\n")
    print("| spans | layout | executions/s | client CPU µs | server CPU µs | disk bytes | log bytes | read one ms |")
    print("|---|---|---|---|---|---|---|---|")
    async with database.scratch() as (_, server):
        for number in spans:
            executions = [execution(number) for _ in range(total // number)]
            results: dict[str, list[Figures]] = {layout.name: [] for layout in LAYOUTS}
            for turn in range(rounds):
                for at, layout in enumerate(LAYOUTS):
                    results[layout.name].append(await measure(server, layout, f"layout_{turn}_{at}", executions))
            for name, figures in results.items():
                print(f"| {number} | {name} | {_median_line(figures)} |", flush=True)


def _median_line(figures: list[Figures]) -> str:
    medians = {name: statistics.median(asdict(figure)[name] for figure in figures) for name in asdict(figures[0])}
    return " | ".join(f"{value:.2f}" if name == "read_ms" else f"{value:,.0f}" for name, value in medians.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--total", type=int, default=100_000, help="spans written by a layout in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spans", type=int, nargs="+", default=[2, 5, 25])
    arguments = parser.parse_args()
    asyncio.run(compare(arguments.total, arguments.rounds, arguments.spans))


if __name__ == "__main__":
    main()
