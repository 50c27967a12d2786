"""Many statements on few connections, against a real Postgres: nothing gets mixed up, lost or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from flux.store.pool import Connection
from flux.store.wire import lanes as lanes_module
from flux.store.wire import session as session_module
from flux.store.wire.lanes import Busy, Lanes, Unreachable
from flux.store.wire.messages import Reply
from flux.store.wire.session import NotExecuted, Session, connect
from flux.store.wire.text import parameter

# Not Postgres' own, such as autovacuum, which only a superuser may end.
CLIENTS = "datname = current_database() AND backend_type = 'client backend'"
OTHERS = f"FROM pg_stat_activity WHERE {CLIENTS} AND pid <> pg_backend_pid()"


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Session]:
    session = await connect(database_url, settings={"application_name": "wire"})
    yield session
    await session.close()


Make = Callable[[int], Lanes]


@pytest.fixture
async def make(database_url: str) -> AsyncIterator[Make]:
    made: list[Lanes] = []

    def make(size: int) -> Lanes:
        made.append(Lanes(lambda: connect(database_url, settings={}), size, silence_s=30))
        return made[-1]

    yield make
    for lanes in made:
        await lanes.close()


async def rows(answer: Awaitable[Reply]) -> list[bytes | None]:
    return (await answer).rows


async def being_executed(connection: Connection, text: str) -> None:
    async with asyncio.timeout(10):
        while not await connection.fetchval(
            f"SELECT count(*) {OTHERS} AND state = 'active' AND query LIKE $1", f"%{text}%"
        ):
            await connection.execute("SELECT pg_stat_clear_snapshot()")


async def test_replies_belong_to_their_statements(session: Session) -> None:
    texts = [
        "SELECT $1::int * 2",
        "SELECT 'x' || $1",
        "SELECT generate_series(1, $1::int)",
        "SELECT NULL WHERE $1 = ''",
    ]
    futures = [(i, text, session.submit(text, [b"%d" % i])) for i in range(200) for text in texts]
    expected: dict[str, Callable[[int], list[bytes]]] = {
        texts[0]: lambda i: [b"%d" % (2 * i)],
        texts[1]: lambda i: [b"x%d" % i],
        texts[2]: lambda i: [b"%d" % n for n in range(1, i + 1)],
        texts[3]: lambda i: [],
    }
    for i, text, future in futures:
        assert await rows(future) == expected[text](i)
    assert session.depth == 0


async def test_an_error_stays_with_its_statement(session: Session) -> None:
    futures = [session.submit(f"SELECT 6 / $1::int -- {i % 2}", [b"%d" % (i % 3)]) for i in range(30)]
    for i, future in enumerate(futures):
        if i % 3 == 0:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await future
        else:
            assert await rows(future) == [b"%d" % (6 // (i % 3))]
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await session.submit("SELEC 1", [])
    assert await rows(session.submit("SELECT 1", [])) == [b"1"]


async def test_a_statement_that_always_fails_is_prepared_once(session: Session) -> None:
    for _ in range(5):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await session.submit("SELECT 1 / $1::int", [b"0"])
    prepared = await rows(
        session.submit("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT 1 /%'", [])
    )
    assert prepared == [b"1"]


async def test_statements_kept_prepared_are_bounded(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_PREPARED", 10)
    for _ in range(2):
        for i in range(25):
            assert await rows(session.submit(f"SELECT {i}", [])) == [b"%d" % i]
    [kept] = await rows(session.submit("SELECT count(*) FROM pg_prepared_statements", []))
    assert kept is not None
    assert int(kept) <= 11


async def test_writes_are_single_transactions(make: Make, connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    lanes = make(2)
    answers = await asyncio.gather(
        *(lanes.run("INSERT INTO t VALUES ($1) RETURNING id", [parameter(i % 50)], read=False) for i in range(100)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, asyncpg.UniqueViolationError) for answer in answers) == 50
    assert await connection.fetchval("SELECT count(*) FROM t") == 50


async def test_ddl_that_changes_a_statements_result(make: Make, connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
    lanes = make(1)
    assert await lanes.run("SELECT a FROM t", [], read=True) == [b"7"]
    await connection.execute("ALTER TABLE t ALTER a TYPE text USING a || '!'")
    assert await lanes.run("SELECT a FROM t", [], read=True) == [b"7!"]


async def test_reads_outlive_their_connections(make: Make, connection: Connection) -> None:
    lanes = make(3)
    for _ in range(20):
        answers = await asyncio.gather(
            *(lanes.run("SELECT $1 || pg_sleep(0.001)", [b"%d" % i], read=True) for i in range(20)),
            connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}"),
        )
        assert answers[:-1] == [[b"%d" % i] for i in range(20)]


async def test_a_write_is_never_done_twice(make: Make, connection: Connection) -> None:
    """Cut under load: each either took place once, or failed and may have; those behind it are tried again."""
    await connection.execute("CREATE TABLE t (id int)")
    lanes = make(2)
    failed = 0
    for attempt in range(15):
        answers = await asyncio.gather(
            *(
                lanes.run("INSERT INTO t VALUES ($1) RETURNING id", [parameter(attempt * 100 + i)], read=False)
                for i in range(40)
            ),
            connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}"),
            return_exceptions=True,
        )
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        assert all(isinstance(error, asyncpg.PostgresError) for error in errors), errors
        failed += len(errors)
    stored = await connection.fetchval("SELECT count(*) FROM t")
    assert await connection.fetchval("SELECT count(DISTINCT id) FROM t") == stored
    assert 600 - failed <= stored <= 600
    assert failed <= 15 * 2 * 2  # at most the one that was running on each connection, when it was cut or reopened


async def test_what_was_written_to_a_closed_connection_was_not_executed(
    session: Session, connection: Connection
) -> None:
    """The farewell has come, and nobody has read it when the next statements are sent."""
    session._transport.pause_reading()
    await connection.execute(f"SELECT pg_terminate_backend(pid, 10000) {OTHERS}")
    answers = [session.submit("SELECT 1", []) for _ in range(3)]
    first, *others = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(first, asyncpg.AdminShutdownError)
    assert [type(other) for other in others] == [NotExecuted, NotExecuted]


async def test_nobody_is_put_behind_a_slow_statement(make: Make, connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    lanes = make(2)
    async with connection.transaction():
        await connection.execute("UPDATE t SET id = 2")
        blocked = asyncio.create_task(lanes.run("UPDATE t SET id = 3 RETURNING id", [], read=False))
        await being_executed(connection, "SET id = 3")
        for i in range(20):
            assert await lanes.run("SELECT $1", [b"%d" % i], read=True) == [b"%d" % i]
        assert not blocked.done()
    assert await blocked == [b"3"]


async def test_who_holds_a_transaction_waits_behind_nobody(make: Make, connection: Connection) -> None:
    await connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    lanes = make(2)
    async with connection.transaction():
        await connection.execute("UPDATE t SET id = 2")
        blocked = asyncio.create_task(lanes.run("UPDATE t SET id = 3 RETURNING id", [], read=False))
        await being_executed(connection, "SET id = 3")
        others = [lanes.run("SELECT $1", [b"%d" % i], read=True, alone=True) for i in range(5)]
        assert await asyncio.gather(*others) == [[b"%d" % i] for i in range(5)]
    await blocked


async def test_patience_ends(make: Make, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "PATIENCE_S", 0.1)
    await connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    lanes = make(1)
    async with connection.transaction():
        await connection.execute("UPDATE t SET id = 2")
        blocked = asyncio.create_task(lanes.run("UPDATE t SET id = 3 RETURNING id", [], read=False))
        await being_executed(connection, "SET id = 3")
        with pytest.raises(Busy):
            await lanes.run("SELECT 1", [], read=True, alone=True)
    await blocked


async def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "PATIENCE_S", 0.3)
    lanes = Lanes(lambda: connect("postgresql://nobody@127.0.0.1:1/nothing", settings={}), 2)
    with pytest.raises(Unreachable) as caught:
        await lanes.run("SELECT 1", [], read=True)
    assert isinstance(caught.value.__cause__, OSError)
    await lanes.close()


async def test_a_silent_server_is_given_up(database_url: str, connection: Connection) -> None:
    lanes = Lanes(lambda: connect(database_url, settings={}), 1, silence_s=0.2)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await lanes.run("SELECT pg_sleep(60)", [], read=False)
    assert await lanes.run("SELECT 1", [], read=True) == [b"1"]
    await connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    await lanes.close()


async def test_closed(session: Session) -> None:
    await session.close()
    with pytest.raises(NotExecuted):
        await session.submit("SELECT 1", [])


async def test_closing_refuses_who_waits_and_who_comes_later(make: Make, connection: Connection) -> None:
    lanes = make(1)
    slow = asyncio.create_task(lanes.run("SELECT pg_sleep(60)", [], read=True))
    await being_executed(connection, "pg_sleep(60)")
    waiting = asyncio.create_task(lanes.run("SELECT 1", [], read=True))
    await asyncio.sleep(0)
    await lanes.close()
    for refused in (slow, waiting, lanes.run("SELECT 1", [], read=True)):
        with pytest.raises(Unreachable):
            await refused
    await connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")


async def test_closing_does_not_wait_for_a_server_that_takes_nothing(
    session: Session, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "FAREWELL_S", 0.1)
    busy = session.submit("SELECT pg_sleep(60)", [])
    await being_executed(connection, "pg_sleep(60)")
    unsent = session.submit("SELECT $1", [bytes(64 << 20)])
    await session.close()
    for lost in (busy, unsent):
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await lost
    await connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")


async def test_a_caller_that_gives_up_takes_nobody_with_it(make: Make) -> None:
    lanes = make(1)
    impatient = asyncio.create_task(lanes.run("SELECT pg_sleep(0.01), 'late'", [], read=True))
    await asyncio.sleep(0)
    others = [asyncio.create_task(lanes.run("SELECT $1", [b"%d" % i], read=True)) for i in range(5)]
    impatient.cancel()
    assert [await other for other in others] == [[b"%d" % i] for i in range(5)]
    with pytest.raises(asyncio.CancelledError):
        await impatient
