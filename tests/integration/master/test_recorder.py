"""From rings to Postgres: batches, crashes of either side, long executions, a database that goes away."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from flux.config import Settings, load
from flux.ipc.segment import Segment
from flux.ipc.wire import JournalKind
from flux.master.recorder import Recorder
from flux.master.recovery import recover
from flux.master.work import Work
from flux.record.execution import Ending, recorded_body, row
from flux.record.journal import FIRST_CALL, Journal
from flux.store.pool import Connection, Pool
from tests.unit.record.samples import CAP, head

INSTANCE = "test" + uuid.uuid4().hex[:8]
NOW_US = 1_790_000_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    loaded = load(tmp_path, {"record.flush_ms": 5})
    return loaded


@pytest.fixture
def segment() -> Iterator[Segment]:
    made = Segment.create(
        f"flux-{INSTANCE}-{uuid.uuid4().hex[:8]}", request_bytes=4096, result_bytes=4096, journal_bytes=65536
    )
    yield made
    made.close()
    made.unlink()


@pytest.fixture
async def recorder(pool: Pool, settings: Settings, segment: Segment) -> AsyncIterator[Recorder]:
    made = Recorder(pool, settings, INSTANCE, lambda rows: None)
    made.add(segment)
    running = asyncio.create_task(made.run())
    yield made
    made.stop()
    await running


def begin(segment: Segment, execution: bytes, body: bytes = b"{}") -> None:
    entry = head(started_us=NOW_US).pack() + b"\n" + (recorded_body(body, CAP) or b"")
    assert segment.journal.try_write(JournalKind.BEGIN, execution, entry)


def call(segment: Segment, execution: bytes, number: int = FIRST_CALL, size: int = 0) -> None:
    args = orjson.dumps({"table": "users", "pad": "x" * size})
    entry = Journal(10**6).call(number, 0, "db.find", args, {"table": "users"}, 400)
    assert segment.journal.try_write(JournalKind.ENTRY, execution, entry)


def end(segment: Segment, execution: bytes, status: int = 200) -> None:
    ending = Ending(status=status, error=None, output=b'{"ok":true}', function_start_us=300, end_us=1000)
    encoded = row(execution, head(started_us=NOW_US), b"{}", Journal(CAP), ending)
    assert segment.journal.try_write(JournalKind.END, execution, encoded)


async def statuses(connection: Connection) -> dict[bytes, int]:
    return {
        found["request_id"].bytes: found["status"]
        for found in await connection.fetch("SELECT request_id, status FROM flux.executions")
    }


async def spans_of(connection: Connection, execution: bytes) -> list[str]:
    text = await connection.fetchval(
        "SELECT spans FROM flux.executions WHERE request_id = $1", uuid.UUID(bytes=execution)
    )
    return [span["name"] for span in orjson.loads(text)]


async def test_what_ended_is_stored_and_its_space_freed(
    recorder: Recorder, segment: Segment, connection: Connection
) -> None:
    ids = [uuid.uuid4().bytes for _ in range(50)]
    for execution in ids:
        begin(segment, execution)
        end(segment, execution)
    await recorder.flush()
    assert await statuses(connection) == dict.fromkeys(ids, 200)
    assert segment.journal.durable == segment.journal.tail


async def test_a_dead_worker_leaves_its_unfinished_executions_as_died(
    recorder: Recorder, segment: Segment, connection: Connection
) -> None:
    finished, running, never_read = (uuid.uuid4().bytes for _ in range(3))
    begin(segment, finished)
    end(segment, finished)
    begin(segment, running)
    call(segment, running)
    failed = [Work(running, head().pack()), Work(never_read, head(started_us=NOW_US).pack(), b'{"a":1}')]
    await recorder.close(segment, failed)
    assert await statuses(connection) == {finished: 200, running: 502, never_read: 502}
    assert await spans_of(connection, running) == ["gateway", "create_user", "db:select(users)"]
    assert await spans_of(connection, never_read) == ["gateway", "create_user"]


async def test_a_result_that_never_left_is_recorded_as_its_caller_saw_it(
    recorder: Recorder, segment: Segment, connection: Connection
) -> None:
    execution = uuid.uuid4().bytes
    begin(segment, execution)
    end(segment, execution, status=200)
    await recorder.close(segment, [Work(execution, head(started_us=NOW_US).pack())])
    error = await connection.fetchval("SELECT error FROM flux.executions")
    assert await statuses(connection) == {execution: 502}
    assert orjson.loads(error) == {"code": "WORKER_DIED", "message": "worker died", "computed_status": 200}


async def test_a_long_execution_does_not_keep_the_ring_from_being_freed(
    recorder: Recorder, segment: Segment, connection: Connection
) -> None:
    long = uuid.uuid4().bytes
    begin(segment, long)
    call(segment, long)
    for _ in range(10 * segment.journal.capacity // 2000):
        execution = uuid.uuid4().bytes
        begin(segment, execution)
        call(segment, execution, size=1000)
        end(segment, execution)
        await recorder.flush()
    assert await connection.fetchval("SELECT count(*) FROM flux.open_records") == 2
    call(segment, long, FIRST_CALL + 1)
    await recorder.close(segment, [Work(long, head().pack())])
    assert await spans_of(connection, long) == ["gateway", "create_user", "db:select(users)", "db:select(users)"]
    assert await connection.fetchval("SELECT count(*) FROM flux.open_records") == 0


async def test_recovery_stores_what_a_killed_master_left(
    segment: Segment, connection: Connection, database_url: str
) -> None:
    stored, ended, running = (uuid.uuid4().bytes for _ in range(3))
    for execution in (stored, ended):
        begin(segment, execution)
        end(segment, execution)
    begin(segment, running)
    call(segment, running)
    segment.journal.read_with_positions(2)  # the master had taken these
    await connection.execute("SELECT 1")
    assert await recover(connection, INSTANCE, CAP) == 3
    assert await statuses(connection) == {stored: 200, ended: 200, running: 502}
    assert await spans_of(connection, running) == ["gateway", "create_user", "db:select(users)"]
    assert Segment.list(f"flux-{INSTANCE}-") == []
    assert await recover(connection, INSTANCE, CAP) == 0


async def test_recovery_skips_what_was_stored_but_not_freed(
    segment: Segment, connection: Connection, pool: Pool, settings: Settings
) -> None:
    execution = uuid.uuid4().bytes
    begin(segment, execution)
    end(segment, execution)
    recorder = Recorder(pool, settings, INSTANCE, lambda rows: None)
    rows = [record[2] for record in segment.journal.read_with_positions(10) if record[0] == JournalKind.END]
    await recorder._store(rows)  # as far as a master gets that is killed right after its COPY
    await recover(connection, INSTANCE, CAP)
    assert await statuses(connection) == {execution: 200}


async def test_a_database_that_drops_connections_loses_nothing(
    recorder: Recorder, segment: Segment, connection: Connection
) -> None:
    ids = [uuid.uuid4().bytes for _ in range(300)]
    for number, execution in enumerate(ids):
        begin(segment, execution)
        end(segment, execution)
        if number % 50 == 0:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            await recorder.flush()
    await recorder.flush()
    assert await statuses(connection) == dict.fromkeys(ids, 200)
