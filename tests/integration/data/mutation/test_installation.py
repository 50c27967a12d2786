"""Putting the triggers on, and keeping them right while tables change."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from flux.store import embedded, migrate
from flux.store.mutations.install import install, install_event_triggers
from flux.store.pool import Connection
from tests.fixtures.postgres import Server, installations

from .conftest import TABLES, let_make_event_triggers, superuser, told, written


async def test_again_is_cheap_and_changes_nothing(tables: Connection) -> None:
    before = await tables.fetch("SELECT oid, xmin::text FROM pg_trigger ORDER BY oid")
    assert (await install(tables)).managed == ()
    assert await tables.fetch("SELECT oid, xmin::text FROM pg_trigger ORDER BY oid") == before


async def test_new_and_altered_tables_at_once(tables: Connection) -> None:
    async with tables.transaction():
        await tables.execute("CREATE TABLE posts (id int PRIMARY KEY, title text)")
        await tables.execute("INSERT INTO posts VALUES (1, 'a')")
        await tables.execute("ALTER TABLE posts RENAME title TO headline")
        await tables.execute("ALTER TABLE posts ADD words int; UPDATE posts SET words = 5, headline = 'b'")
        await tables.execute("ALTER TABLE posts DROP COLUMN headline; UPDATE posts SET words = 6")
    found = await written(tables)
    assert [(each["operation"], each["changed"]) for each in found] == [
        ("insert", None),
        ("update", ["headline", "words"]),
        ("update", ["words"]),
    ]
    assert found[2]["new"] == {"id": 1, "words": 6}


async def test_ddl_is_noted(tables: Connection) -> None:
    statement = "CREATE TABLE posts (id int PRIMARY KEY)"
    await tables.execute(statement)
    await tables.execute("CREATE TEMP TABLE scratch (id int)")
    await tables.execute("ALTER TABLE posts RENAME TO articles")
    await tables.execute("DROP TABLE articles")
    found = await written(tables, ddl=True)
    assert [each["new"]["command"] for each in found] == ["CREATE TABLE", "CREATE INDEX", "ALTER TABLE", "DROP TABLE"]
    assert found[0]["new"] == {
        "command": "CREATE TABLE",
        "type": "table",
        "object": "public.posts",
        "statement": statement,
    }
    assert {each["table"] for each in found} == {"articles"}


async def test_a_renamed_table_keeps_its_record(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (email) VALUES ('a')")
    await tables.execute("ALTER TABLE users RENAME TO people; CREATE TABLE users (id int PRIMARY KEY)")
    await tables.execute("UPDATE people SET email = 'b'; INSERT INTO users VALUES (1)")
    found = await written(tables)
    assert [each["table"] for each in found] == ["people", "people", "users"]
    assert found[0]["row"] == found[1]["row"] != found[2]["row"]


async def test_a_table_made_anew_goes_on_under_its_name(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (email) VALUES ('a')")
    await tables.execute("DROP TABLE users")
    await tables.execute(TABLES)
    await tables.execute("INSERT INTO users (email) VALUES ('b')")
    found = await written(tables)
    assert len({each["table_id"] for each in found}) == 1


async def test_without_event_triggers_writes_go_on(guarded: Connection) -> None:
    await guarded.execute("INSERT INTO users (email) VALUES ('a'), ('b')")
    await guarded.execute("ALTER TABLE users DROP COLUMN email; ALTER TABLE users ADD COLUMN score real")
    await guarded.execute("UPDATE users SET score = 1 WHERE id = 1; UPDATE users SET score = 2")
    await guarded.execute("INSERT INTO users (score) VALUES (3); DELETE FROM users WHERE id = 2")
    found = await written(guarded)
    assert told(found) == [
        ("insert", [1], None),
        ("insert", [2], None),
        ("update", [1], ["score"]),
        ("update", [2], ["score"]),  # in the order of the heap
        ("update", [1], ["score"]),
        ("insert", [3], None),
        ("delete", [2], None),
    ]
    assert found[4]["new"] == {"id": 1, "plan": "free", "amount": None, "score": 2}
    assert (await install(guarded)).managed == ("users",)
    (noted,) = await written(guarded, ddl=True)
    assert noted["new"]["noticed"] == "afterwards"


async def test_without_event_triggers_row_by_row(guarded: Connection) -> None:
    await guarded.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION nothing()"
    )
    await install(guarded)
    await guarded.execute("ALTER TABLE users DROP COLUMN email")
    await guarded.execute("INSERT INTO users (plan) VALUES ('a'); UPDATE users SET plan = 'b'; DELETE FROM users")
    assert told(await written(guarded)) == [("insert", [1], None), ("update", [1], ["plan"]), ("delete", [1], None)]


async def test_tables_of_others_say_why_they_are_not_recorded(connection: Connection, database_url: str) -> None:
    admin = await asyncpg.connect(superuser(database_url))
    await admin.execute(
        "CREATE TABLE foreign_to_us (id int PRIMARY KEY); GRANT ALL ON foreign_to_us TO PUBLIC; "
        "REVOKE TRIGGER ON foreign_to_us FROM PUBLIC"
    )
    await admin.close()
    await connection.execute(TABLES)
    installed = await install(connection)
    assert "permission denied" in installed.problems["public.foreign_to_us"]
    await connection.execute("INSERT INTO foreign_to_us VALUES (1); INSERT INTO users (email) VALUES ('a')")
    assert [each["table"] for each in await written(connection)] == ["users"]


async def test_a_busy_table_is_left_for_the_next_time(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux.store.mutations.install.LOCK_TIMEOUT_MS", 50)
    await connection.execute(TABLES)
    writer = await asyncpg.connect(database_url)
    try:
        async with writer.transaction():
            await writer.execute("INSERT INTO users (email) VALUES ('a')")
            assert "lock timeout" in (await install(connection)).problems["public.users"]
        assert (await install(connection)).problems == {}
    finally:
        await writer.close()


async def test_many_nodes_at_once(connection: Connection, database_url: str) -> None:
    await connection.execute(TABLES)

    async def node() -> None:
        conn = await asyncpg.connect(database_url)
        try:
            await install(conn)
        finally:
            await conn.close()

    await asyncio.gather(*(node() for _ in range(6)))
    await connection.execute("INSERT INTO users (email) VALUES ('a')")
    assert told(await written(connection)) == [("insert", [1], None)]


async def test_all_at_once(connection: Connection, database_url: str) -> None:
    await connection.execute(TABLES)
    admin = await asyncpg.connect(superuser(database_url))
    assert (await install(connection, superuser=admin)).managed == ("users",)
    assert (await install(connection, superuser=admin)).managed == ()
    await admin.close()
    await connection.execute("CREATE TABLE posts (id int); INSERT INTO posts VALUES (1)")
    assert [each["table"] for each in await written(connection)] == ["posts"]


async def test_event_triggers_need_a_superuser(connection: Connection) -> None:
    await install(connection)
    assert not await install_event_triggers(connection)


@pytest.mark.parametrize("installation", installations(), ids=lambda each: f"postgres-{each.major}")
async def test_versions_of_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server, installation: embedded.Installation
) -> None:
    running = embedded.start(tmp_path_factory.mktemp("pg") / "data", installation=installation)
    try:
        conn = await asyncpg.connect(running.url)
        try:
            await migrate.migrate(conn)
            await conn.execute(TABLES)
            for _ in ("guarded", "with event triggers"):
                await install(conn)
                await conn.execute("INSERT INTO users (email) VALUES ('a'), ('b'); UPDATE users SET email = 'c'")
                await conn.execute(
                    "UPDATE users SET email = 'd' WHERE id = (SELECT max(id) FROM users); DELETE FROM users"
                )
                assert [each["operation"] for each in await written(conn)] == [
                    *("insert", "insert", "update", "update", "update", "delete", "delete")
                ]
                await let_make_event_triggers(running.url)
            await conn.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
            await conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
            await conn.execute("INSERT INTO p VALUES (1); INSERT INTO p1 VALUES (2); UPDATE p SET id = id + 2")
            assert len(await written(conn)) == 6
            await conn.execute("CREATE TABLE q (id int PRIMARY KEY); CREATE TABLE q1 () INHERITS (q)")  # row by row
            await conn.execute("INSERT INTO q VALUES (1); INSERT INTO q1 VALUES (2); UPDATE q SET id = id + 2")
            assert len(await written(conn)) == 5  # q1 has no key that changes
        finally:
            await conn.close()
    finally:
        running.stop()


async def test_restored_from_a_dump(tables: Connection) -> None:
    """Oids are others then; a table must not go on under the record of the one that had its oid before."""
    await tables.execute("CREATE TABLE posts (id int PRIMARY KEY)")
    ids = "SELECT name, id FROM flux.managed_tables ORDER BY name"
    before = await tables.fetch(ids)
    await tables.execute(
        "UPDATE flux.capture SET home = 'elsewhere'; UPDATE flux.managed_tables SET relation = "
        "CASE name WHEN 'users' THEN 'posts'::regclass ELSE 'users'::regclass END"
    )
    await install(tables)
    assert await tables.fetch(ids) == before
    await tables.execute("INSERT INTO posts VALUES (1)")
    assert [each["table"] for each in await written(tables)] == ["posts"]
