from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from flux.errors import ConfigError
from flux.store import embedded, migrate
from flux.store.copy import copy_rows, copy_rows_once
from flux.store.pool import Connection
from tests.fixtures.postgres import installations

from .rows import row

ALL = [migration.name for migration in migrate.read_folder(migrate.FOLDER)]


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Connection]:
    conn = await asyncpg.connect(empty_url)
    yield conn
    await conn.close()


async def test_from_empty_and_again(empty: Connection) -> None:
    assert await migrate.migrate(empty) == ALL
    assert await migrate.migrate(empty) == []


async def test_many_nodes_at_once(empty_url: str) -> None:
    async def node() -> list[str]:
        conn = await asyncpg.connect(empty_url)
        try:
            applied = await migrate.migrate(conn)
            await migrate.ensure_partitions(conn, datetime.now(UTC).date())
            return applied
        finally:
            await conn.close()

    applied = await asyncio.gather(*(node() for _ in range(8)))
    assert sorted(applied, key=len) == [[]] * 7 + [ALL]


async def test_team_tables_are_left_alone(empty: Connection) -> None:
    await empty.execute("CREATE TABLE jobs (mine int); CREATE TABLE executions (mine int)")
    await migrate.migrate(empty)
    assert await empty.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 2


async def test_default_schema_must_not_be_ours(empty_url: str) -> None:
    conn = await asyncpg.connect(empty_url, server_settings={"search_path": '"$user", public'})
    try:
        with pytest.raises(ConfigError, match="ALTER ROLE flux SET search_path"):
            await migrate.migrate(conn)
        assert await conn.fetchval("SELECT to_regnamespace('flux')") is None
    finally:
        await conn.close()


async def test_newer_schema_is_refused(empty: Connection) -> None:
    await migrate.migrate(empty)
    await empty.execute("INSERT INTO flux.migrations (number, name) VALUES (9999, '9999_future.sql')")
    with pytest.raises(ConfigError, match="version 9999, made by a newer Flux"):
        await migrate.migrate(empty)


@pytest.mark.parametrize("installation", installations(), ids=lambda installation: f"postgres-{installation.major}")
async def test_every_supported_version(installation: embedded.Installation, tmp_path: Path) -> None:
    server = embedded.start(tmp_path / "data", installation=installation)
    try:
        conn = await asyncpg.connect(server.url)
        assert conn.get_server_version().major == installation.major
        assert await migrate.migrate(conn) == ALL
        await migrate.ensure_partitions(conn, datetime.now(UTC).date())
        rows = [row(), row(spans=b"[\0]"), row()]
        assert len(await copy_rows(conn, rows)) == 1
        assert len(await copy_rows_once(conn, rows)) == 1
        assert await conn.fetchval("SELECT count(*) FROM flux.executions") == 2
        await conn.close()
    finally:
        server.stop()


async def test_project_migrations_in_order_once(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "0001_users.sql").write_text("CREATE TABLE users (id serial);")
    (tmp_path / "0002_email.sql").write_text(
        "ALTER TABLE users ADD email text;\nINSERT INTO users (email) VALUES ('a');"
    )
    assert await migrate.migrate_project(connection, tmp_path) == ["0001_users.sql", "0002_email.sql"]
    assert await migrate.migrate_project(connection, tmp_path) == []
    (tmp_path / "0003_more.sql").write_text("INSERT INTO users (email) VALUES ('b');")
    assert await migrate.migrate_project(connection, tmp_path) == ["0003_more.sql"]
    assert await connection.fetchval("SELECT count(*) FROM public.users") == 2


async def test_project_without_migrations(connection: Connection, tmp_path: Path) -> None:
    assert await migrate.migrate_project(connection, tmp_path / "migrations") == []


async def test_project_migration_that_fails_leaves_nothing(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "0001_users.sql").write_text("CREATE TABLE users (id serial);")
    (tmp_path / "0002_wrong.sql").write_text("CREATE TABLE orders ();\n\nCREATE TABEL typo ();")
    with pytest.raises(ConfigError, match=r"0002_wrong\.sql:3: syntax error"):
        await migrate.migrate_project(connection, tmp_path)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await connection.fetchval("SELECT count(*) FROM flux.project_migrations") == 0


async def test_project_migration_changed_or_out_of_order(connection: Connection, tmp_path: Path) -> None:
    second = tmp_path / "0002_users.sql"
    second.write_text("CREATE TABLE users (id serial);")
    await migrate.migrate_project(connection, tmp_path)
    (tmp_path / "0001_late.sql").write_text("SELECT 1;")
    with pytest.raises(ConfigError, match=r"0001_late\.sql comes before 0002_users\.sql"):
        await migrate.migrate_project(connection, tmp_path)
    (tmp_path / "0001_late.sql").unlink()
    second.write_text("CREATE TABLE users (id bigserial);")
    with pytest.raises(ConfigError, match="was changed after it was applied"):
        await migrate.migrate_project(connection, tmp_path)


async def test_what_a_migration_sets_ends_with_it(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "0001_dump.sql").write_text(
        "SELECT pg_catalog.set_config('search_path', '', false); SET statement_timeout = '7s'; "
        "CREATE TEMP TABLE users (id int); CREATE TABLE public.dumped (id int); SET ROLE flux"
    )
    (tmp_path / "0002_next.sql").write_text("CREATE TABLE users (id int)")
    before = await connection.fetch("SELECT current_schemas(false), current_user, current_setting('role')")
    await migrate.migrate_project(connection, tmp_path)
    assert await connection.fetch("SELECT current_schemas(false), current_user, current_setting('role')") == before
    assert await connection.fetchval("SELECT current_setting('statement_timeout')") == "0"
    assert await connection.fetchval("SELECT 'users'::regclass = 'public.users'::regclass")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("BEGIN;\nCREATE TABLE users (id int);\nCOMMIT;", r"0002_own\.sql:1: BEGIN: a migration runs in a transaction"),
        ("CREATE TABLE users (id int); COMMIT; SELECT nope", r"0002_own\.sql:1: COMMIT: "),
        ("COPY first FROM stdin;\n1\n", r"0002_own\.sql:1: COPY FROM STDIN: there are no rows to send"),
    ],
)
async def test_a_migration_stays_in_its_transaction(
    connection: Connection, tmp_path: Path, sql: str, message: str
) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id int)")
    (tmp_path / "0002_own.sql").write_text(sql)
    with pytest.raises(ConfigError, match=message):
        await asyncio.wait_for(migrate.migrate_project(connection, tmp_path), 10)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_a_label_that_a_later_migration_uses(connection: Connection, tmp_path: Path) -> None:
    """Each was fine when it was written; where both are missing, they come together."""
    (tmp_path / "0001_users.sql").write_text("CREATE TYPE plan AS ENUM ('a'); CREATE TABLE users (plan plan)")
    await migrate.migrate_project(connection, tmp_path)
    (tmp_path / "0002_label.sql").write_text("ALTER TYPE plan ADD VALUE 'b'")
    (tmp_path / "0003_default.sql").write_text("ALTER TABLE users ALTER plan SET DEFAULT 'b'")
    assert await migrate.migrate_project(connection, tmp_path) == ["0002_label.sql", "0003_default.sql"]
    assert await connection.fetchval("INSERT INTO users DEFAULT VALUES RETURNING plan") == "b"
    (tmp_path / "0004_both.sql").write_text("ALTER TYPE plan ADD VALUE 'c'; INSERT INTO users VALUES ('c')")
    with pytest.raises(ConfigError, match=r"0004_both\.sql:1: unsafe use of new value"):
        await migrate.migrate_project(connection, tmp_path)


@pytest.mark.parametrize("sql", ["", "-- nothing yet\n", ";"])
async def test_a_migration_without_a_statement(connection: Connection, tmp_path: Path, sql: str) -> None:
    (tmp_path / "0001_empty.sql").write_text(sql)
    assert await migrate.migrate_project(connection, tmp_path) == ["0001_empty.sql"]
