from __future__ import annotations

import os
import signal
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from flux.store import embedded, migrate, postmaster
from flux.store.copy import MESSAGE_BYTES, Refused, copy_rows, copy_rows_once
from flux.store.pool import Connection

from .rows import DAY_US, midnight_us, now_us, row


async def stored(conn: Connection) -> int:
    count: int = await conn.fetchval("SELECT count(*) FROM flux.executions")
    return count


async def test_every_column_arrives(connection: Connection) -> None:
    request_id, parent, replay_of = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    started = datetime.now(UTC)
    fields = {
        "kind": "job",
        "tenant": "acme",
        "method": "GET",
        "path": "/users/7?q=ü",
        "route": "/users/:id",
        "function": "users",
        "code_version": "ab" * 32,
        "status": 503,
        "duration_us": 2**40,
        "seed": bytes(range(32)),
        "error": b'{"code":"X"}',
        "request": b'{"b":1,"a":2}',
        "input": b'{"n":12345678901234567890123}',
        "output": b"null",
        "spans": b"[]",
        "logs": b'[{"level":"info"}]',
    }
    started_us = int(started.timestamp()) * 1_000_000 + started.microsecond
    ids = {"request_id": request_id.bytes, "parent_request_id": parent.bytes, "replay_of": replay_of.bytes}
    assert await copy_rows(connection, [row(**fields, **ids, started_us=started_us)]) == []

    found = dict(await connection.fetchrow("SELECT * FROM flux.executions") or {})
    json_columns = {"error", "request", "input", "output", "spans", "logs"}
    assert {name: found[name].encode() if name in json_columns else found[name] for name in fields} == fields
    assert found["started_at"] == started
    assert (found["request_id"], found["parent_request_id"], found["replay_of"]) == (request_id, parent, replay_of)


@pytest.mark.parametrize("size", [0, 1, 500, 5000])
async def test_batches_of_any_size(connection: Connection, size: int) -> None:
    assert await copy_rows(connection, [row() for _ in range(size)]) == []
    assert await stored(connection) == size


async def test_batch_larger_than_a_message(connection: Connection) -> None:
    body = b'"' + b"x" * (MESSAGE_BYTES // 3) + b'"'
    assert await copy_rows(connection, [row(input=body) for _ in range(10)]) == []
    assert await connection.fetchval("SELECT min(octet_length(input::text)) FROM flux.executions") == len(body)


@pytest.mark.parametrize(
    "text", [rb'"\u0000"', rb'"\ud800"', rb'{"a":1,"a":2}', b"1e999", b'"\xf0\x9f\xa6\x80"', b" [1 , 2] "]
)
async def test_json_is_kept_byte_for_byte(connection: Connection, text: bytes) -> None:
    assert await copy_rows(connection, [row(input=text)]) == []
    assert (await connection.fetchval("SELECT input FROM flux.executions")).encode() == text


BAD: dict[str, dict[str, Any]] = {
    "JSON that is none": {"input": b"{"},
    "JSON that is not UTF-8": {"output": b'"\xff"'},
    "surrogate in UTF-8": {"output": b'"\xed\xa0\x80"'},
    "NUL in JSON": {"spans": b"[\0]"},
    "JSON nested too deep": {"spans": b"[" * 100_000 + b"]" * 100_000},
    "name too long for an index": {"function": "".join(uuid.uuid4().hex for _ in range(1000))},
    "clock at zero": {"started_us": 0},
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("position", [0, 77, 199])
async def test_bad_row_spares_its_neighbours_and_is_kept(connection: Connection, what: str, position: int) -> None:
    request_id = uuid.uuid4().bytes
    rows = [row() for _ in range(200)]
    rows[position] = row(request_id=request_id, **BAD[what])
    [refused] = await copy_rows(connection, rows)
    assert refused.request_id == request_id
    assert refused.reason
    assert await stored(connection) == 199
    assert await connection.fetchval("SELECT tuple FROM flux.refused_rows") == rows[position]


async def test_many_bad_rows(connection: Connection) -> None:
    rows = [row(spans=b"[\0]") if number % 3 == 0 else row() for number in range(99)]
    assert len(await copy_rows(connection, rows)) == 33
    assert await stored(connection) == 66
    # The same batch once more, as after a commit whose answer was lost.
    assert len(await copy_rows_once(connection, rows)) == 33
    assert await stored(connection) == 66
    assert await connection.fetchval("SELECT count(*) FROM flux.refused_rows") == 33


async def test_tuple_that_is_no_tuple(connection: Connection) -> None:
    rows = [row(), b"\x00\x14 not a tuple at all", row()]
    assert [type(refused) for refused in await copy_rows(connection, rows)] == [Refused]
    assert await stored(connection) == 2


async def test_duplicates_are_skipped(connection: Connection) -> None:
    rows = [row() for _ in range(100)]
    await copy_rows(connection, rows[:60])
    assert await copy_rows_once(connection, rows) == []
    assert await copy_rows(connection, rows) == []
    assert await copy_rows_once(connection, [rows[0], rows[0]]) == []
    assert await stored(connection) == 100


async def test_same_id_at_another_time_is_another_execution(connection: Connection) -> None:
    """A trusted caller may send an ID twice; neither execution is lost."""
    request_id = uuid.uuid4().bytes
    await copy_rows(connection, [row(request_id=request_id, started_us=now_us())])
    await copy_rows_once(connection, [row(request_id=request_id, started_us=now_us() + 1)])
    assert await stored(connection) == 2


async def test_rows_around_midnight_land_in_their_own_days(connection: Connection) -> None:
    today = datetime.now(UTC).date()
    midnight = midnight_us(today)
    await copy_rows(connection, [row(started_us=midnight + offset) for offset in (-1, 0, DAY_US - 1, DAY_US)])
    found = await connection.fetch("SELECT tableoid::regclass::text AS day FROM flux.executions ORDER BY started_at")
    assert [record["day"] for record in found] == [
        f"flux.executions_{day:%Y%m%d}" for day in (today - timedelta(days=1), today, today, today + timedelta(days=1))
    ]


@pytest.mark.parametrize("write", [copy_rows, copy_rows_once])
async def test_recovered_row_of_an_old_day_gets_its_partition(connection: Connection, write: object) -> None:
    old = midnight_us(date.today() - timedelta(days=50)) + 5
    assert callable(write)
    assert await write(connection, [row(), row(started_us=old), row(started_us=old + 40 * DAY_US)]) == []
    assert await stored(connection) == 3


async def test_restart_of_postgres_between_and_during_batches(tmp_path: Path) -> None:
    """The server is killed while batches are written; each is repeated until acknowledged: none lost, none double."""
    folder = tmp_path / "data"
    server = embedded.start(folder)
    batches = [[row() for _ in range(400)] for _ in range(9)]
    try:
        conn = await asyncpg.connect(server.url)
        await migrate.migrate(conn)
        await migrate.ensure_partitions(conn, datetime.now(UTC).date())
        for number, batch in enumerate(batches):
            if number % 2:  # not before the last batch: it may come through before the server is gone
                os.kill(server.pid, signal.SIGQUIT)
            try:
                await copy_rows(conn, batch)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                embedded.wait_until(lambda: postmaster.running(folder) is None, 10)
                server = embedded.start(folder)
                conn = await asyncpg.connect(server.url)
                await copy_rows_once(conn, batch)
        assert await conn.fetchval("SELECT count(*) FROM flux.executions") == 3600
        assert await conn.fetchval("SELECT count(DISTINCT request_id) FROM flux.executions") == 3600
        await conn.close()
    finally:
        server.stop()
