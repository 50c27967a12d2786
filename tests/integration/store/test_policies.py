"""Policies in Postgres: versions, files, masked columns."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from flux.data.policy.model import Caller, Policies
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.errors import ConfigError
from flux.failure import HostError
from flux.store import policies as store
from flux.store.migrate import Migration, apply_project
from flux.store.mutations import install
from flux.store.policy_test import check_row
from flux.store.pool import Connection

READING = {"member": {"preset": "read_only"}}
OWN = {"masked": ["email"], "preset": "owner(id)"}


@pytest.fixture
async def schema(connection: Connection) -> Schema:
    await connection.execute(
        "CREATE TABLE users (id int PRIMARY KEY, email text, seen tstzrange); "
        "CREATE TABLE posts (a int, b text, author int REFERENCES users (id), PRIMARY KEY (a, b)); "
        "INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO posts VALUES (1, 'x', 1)"
    )
    return await read_schema(connection)


async def save(connection: Connection, schema: Schema, document: object) -> tuple[store.StoredPolicy, Policies]:
    async with connection.transaction():
        return await store.save(connection, "users", document, schema, source="api", created_by="test")  # type: ignore[arg-type]  # some are wrong


async def test_versions(connection: Connection, schema: Schema) -> None:
    empty = await connection.fetchval(store.MARKER)
    first, policies = await save(connection, schema, READING)
    assert await connection.fetchval(store.MARKER) != empty
    assert (first.version, first.active, first.created_by) == (1, True, "test")
    assert policies.grant("users", "member", "select") is not None
    again, _ = await save(connection, schema, READING)
    assert again.version == 1
    before = await connection.fetchval(store.MARKER)
    second, _ = await save(connection, schema, OWN)
    assert second.version == 2
    assert await connection.fetchval(store.MARKER) != before
    assert [(each.version, each.active) for each in await store.versions(connection, "users")] == [
        (2, True),
        (1, False),
    ]
    assert (await store.active(connection))["users"].document == OWN
    back, _ = await save(connection, schema, READING)
    assert back.version == 3


async def test_what_is_refused_changes_nothing(connection: Connection, schema: Schema) -> None:
    await save(connection, schema, READING)
    for wrong, told in (
        ({"member": {"preset": "x"}}, "unknown preset"),
        ({"member": {"select": {"where": "seen && 'not a range'"}}}, "member.select.where: Postgres says: malformed"),
        ({"member": {"select": {"where": "x" * 300_000}}}, "are allowed"),
    ):
        with pytest.raises(HostError, match=told) as caught:
            await save(connection, schema, wrong)
        assert caught.value.code == "POLICY_INVALID"
    assert (await store.active(connection))["users"].version == 1


async def test_a_column_that_goes_closes_the_table(connection: Connection, schema: Schema) -> None:
    await save(connection, schema, {"member": {"select": {"where": "email = 'a'"}}})
    await connection.execute("ALTER TABLE users DROP COLUMN email")
    loaded = await store.load(connection, await read_schema(connection))
    assert 'no column "email"' in loaded.problems["users"]
    assert loaded.policies.grant("users", "member", "select") is None


async def test_masked_columns_are_told_to_the_record(connection: Connection, schema: Schema) -> None:
    query = 'SELECT schema::text, "table"::text, "column"::text FROM flux.masked_columns'
    await save(connection, schema, OWN)
    assert [tuple(row) for row in await connection.fetch(query)] == [("public", "users", "email")]
    async with connection.transaction():
        assert await store.remove(connection, "users", schema)
        assert not await store.remove(connection, "users", schema)
    assert await connection.fetch(query) == []
    assert len(await store.versions(connection, "users")) == 1


async def test_files(connection: Connection, schema: Schema, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    assert await store.apply_files(connection, folder, schema) == []
    folder.mkdir()
    file = folder / "users.toml"
    file.write_text('masked = ["email"]\npreset = "owner(id)"\n')
    (told,) = await store.apply_files(connection, folder, schema)
    assert told.startswith("users: version 1 from ")
    assert await store.apply_files(connection, folder, schema) == []
    # A change through the API stays until the file changes.
    await save(connection, schema, READING)
    (told,) = await store.apply_files(connection, folder, schema)
    assert told.startswith("users: version 2 of the API is in force")
    file.write_text('[member]\npreset = "full"\n')
    (told,) = await store.apply_files(connection, folder, schema)
    assert told.startswith("users: version 3 from ")
    file.unlink()
    (told,) = await store.apply_files(connection, folder, schema)
    assert "its file is gone" in told
    assert (await store.active(connection))["users"].version == 3


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("users.toml", "[member", "users.toml: not valid TOML"),
        ("users.toml", '[member.select]\nwhere = "ide = 1"', "users.toml: member.select.where: at character 1: "),
        ("user.toml", "", 'user.toml: There is no table "user". Did you mean "users"?'),
    ],
)
async def test_files_that_are_wrong(
    connection: Connection, schema: Schema, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / "posts.toml").write_text('[member]\npreset = "full"\n')
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        await store.apply_files(connection, tmp_path, schema)
    assert told in caught.value.message
    assert await store.active(connection) == {}


async def test_one_row(connection: Connection, schema: Schema) -> None:
    document = {"member": {"select": {"where": "id = $auth.uid"}, "update": {"where": "true", "check": "email = 'a'"}}}
    _, policies = await save(connection, schema, document)
    caller = Caller(role="member", uid="1")

    async def seen(table: str, operation: str, id_: object) -> tuple[bool, bool | None, bool | None]:
        tested = await check_row(connection, schema, policies, table, operation, caller, id_)  # type: ignore[arg-type]  # as text
        return tested.found, tested.visible, tested.valid

    assert await seen("users", "select", "1") == (True, True, True)
    assert await seen("users", "select", 2) == (True, False, True)
    assert await seen("users", "select", 3) == (False, None, None)
    assert await seen("users", "update", 2) == (True, True, False)
    assert await seen("users", "delete", 1) == (True, None, None)
    assert (await seen("posts", "select", {"a": 1, "b": "x"}))[0]
    for wrong in ("1", {"a": 1}, {"a": 1, "b": None}):
        with pytest.raises(HostError, match="The key is an object with a, b"):
            await seen("posts", "select", wrong)


async def test_two_that_save_at_once_number_their_versions(
    connection: Connection, database_url: str, schema: Schema
) -> None:
    other = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await store.save(connection, "users", READING, schema, source="api")
            assert not await other.fetchval("SELECT pg_try_advisory_lock($1)", store.LOCK_KEY)
    finally:
        await other.close()


async def test_a_policy_stays_with_a_table_that_is_renamed(connection: Connection, schema: Schema) -> None:
    await save(connection, schema, READING)
    await save(connection, schema, OWN)
    await connection.execute("ALTER TABLE users RENAME TO people")
    now = await read_schema(connection)
    # From that moment on, and once it is written down.
    for _ in range(2):
        loaded = await store.load(connection, now)
        assert (set(loaded.policies.tables), loaded.problems) == ({"people"}, {})
        assert loaded.policies.grant("people", "member", "select") is None
        told = await store.follow_renamed(connection, now)
    assert told == []
    assert [(each.version, each.active) for each in await store.versions(connection, "people")] == [
        (2, True),
        (1, False),
    ]
    assert await store.versions(connection, "users") == []
    query = 'SELECT schema::text, "table"::text, "column"::text FROM flux.masked_columns'
    assert [tuple(row) for row in await connection.fetch(query)] == [("public", "people", "email")]
    async with connection.transaction():
        assert await store.remove(connection, "people", now)
    assert (await store.load(connection, now)).policies.tables == {}


async def test_a_table_that_takes_the_name_of_another_has_its_policy_too(
    connection: Connection, schema: Schema
) -> None:
    await save(connection, schema, OWN)
    await connection.execute(
        "CREATE TABLE fresh (LIKE users); ALTER TABLE users RENAME TO former; ALTER TABLE fresh RENAME TO users"
    )
    now = await read_schema(connection)
    for _ in range(2):
        assert set((await store.load(connection, now)).policies.tables) == {"users", "former"}
        await store.follow_renamed(connection, now)
    async with connection.transaction():
        assert await store.remove(connection, "former", now)
    assert set((await store.load(connection, now)).policies.tables) == {"users"}
    # Made anew under its name, it is the policy's.
    await connection.execute("DROP TABLE users; CREATE TABLE users (id int, email text)")
    await store.follow_renamed(connection, await read_schema(connection))
    await connection.execute("ALTER TABLE users RENAME TO people")
    assert set((await store.load(connection, await read_schema(connection))).policies.tables) == {"people"}


async def test_what_shows_a_table_that_was_moved_out_of_the_search_path_stays_closed(
    connection: Connection, schema: Schema
) -> None:
    await save(connection, schema, OWN)
    await connection.execute(
        "CREATE VIEW everyone AS SELECT id FROM users; CREATE VIEW harmless AS SELECT a FROM posts; CREATE SCHEMA away"
    )
    for _ in range(2):
        now = await read_schema(connection)
        assert (await store.load(connection, now)).policies.closed == {"everyone"}
        await store.follow_renamed(connection, now)
        await connection.execute("ALTER TABLE IF EXISTS users SET SCHEMA away")


async def test_a_migration_that_renames_a_table_keeps_policy_and_masks(connection: Connection, schema: Schema) -> None:
    await save(connection, schema, OWN)
    await install.install(connection)
    await apply_project(connection, [migration("ALTER TABLE users RENAME TO people")], Path("migrations"))
    assert {table: each.document for table, each in (await store.active(connection)).items()} == {"people": OWN}
    masked = await connection.fetch('SELECT "table", "column" FROM flux.masked_columns')
    assert [tuple(row) for row in masked] == [("people", "email")]


async def test_tables_that_take_turns_under_their_names(connection: Connection, schema: Schema) -> None:
    """One that is dropped leaves its policy to whoever takes its name; that must not end in two for one table."""
    await save(connection, schema, OWN)
    await connection.execute("CREATE TABLE former (LIKE users); CREATE TABLE fresh (LIKE users)")
    now = await read_schema(connection)
    documents = {"former": {"admin": {"preset": "full"}}, "fresh": READING}
    async with connection.transaction():
        for table, document in documents.items():
            await store.save(connection, table, document, now, source="api")
    await connection.execute("DROP TABLE former; ALTER TABLE users RENAME TO former; ALTER TABLE fresh RENAME TO users")
    now = await read_schema(connection)
    for _ in range(2):
        found = (await store.load(connection, now)).policies
        assert found.grant("users", "member", "select") is None
        assert found.grant("former", "member", "select") is None
        assert found.grant("former", "admin", "select")
        await store.follow_renamed(connection, now)
    # From now on a policy follows the table that it is in force for, and no other.
    await connection.execute("ALTER TABLE former RENAME TO oldest; ALTER TABLE users RENAME TO latest")
    now = await read_schema(connection)
    await store.follow_renamed(connection, now)
    active = await store.active(connection)
    assert (active["oldest"].document, active["latest"].document) == (documents["former"], OWN)


async def test_tables_that_exchange_their_names_exchange_no_policies(connection: Connection, schema: Schema) -> None:
    full = {"admin": {"preset": "full"}}
    await save(connection, schema, READING)
    async with connection.transaction():
        await store.save(connection, "posts", full, schema, source="file")
    exchange = "ALTER TABLE users RENAME TO x; ALTER TABLE posts RENAME TO users; ALTER TABLE x RENAME TO posts"
    async with connection.transaction():
        await connection.execute(exchange)
        now = await read_schema(connection)
        loaded = await store.load(connection, now)
        assert loaded.policies.grant("posts", "member", "select")
        assert loaded.policies.grant("users", "member", "select") is None
        for _ in range(2):
            await store.follow_renamed(connection, now)
            found = await store.active(connection)
            assert {table: (each.document, each.source) for table, each in found.items()} == {
                "posts": (READING, "api"),
                "users": (full, "file"),
            }
    await apply_project(connection, [migration(f"{exchange}; SET search_path = ''")], Path("migrations"))
    assert (await store.active(connection))["users"].document == READING


def migration(sql: str) -> Migration:
    return Migration(number=1, name="0001_a.sql", sql=sql)
