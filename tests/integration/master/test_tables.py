"""Policies, protection and triggers at start and afterwards, on servers that allow more or less."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import AsyncMock

import asyncpg
import pytest

from flux import config
from flux.config import Settings
from flux.data.policy.rls.names import login_name
from flux.data.schema.introspect import FLUSH_FINGERPRINT, read_fingerprint, read_schema
from flux.errors import ConfigError, LocalError
from flux.master import tables
from flux.master.tables import Tables
from flux.store import policies
from flux.store.mutations.install import has_event_triggers
from flux.store.pool import Connection, Pool
from flux.store.raw_login import with_user
from tests.fixtures.postgres import Server

NOTES = "CREATE TABLE notes (id serial PRIMARY KEY, owner text, body text)"
PROBLEM = "SELECT problem FROM flux.protection"
TEAMS = "flux_test_app_sql"
OWN = '[member.select]\nwhere = "owner = $auth.uid"\n'


@pytest.fixture
async def superuser(postgres: Server, database_url: str, connection: Connection) -> AsyncIterator[str]:
    """The superuser's URL. Before and after, Flux' own user may make no roles, and there are none of its."""
    url = database_url.replace("//flux@", "//postgres@")
    inside = await asyncpg.connect(url)
    await inside.execute("ALTER ROLE flux NOCREATEROLE")
    yield url
    login = login_name(await inside.fetchval("SELECT current_database()"))
    for row in await inside.fetch("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, $1)", login):
        await inside.execute(f'DROP OWNED BY "{row[0]}"; DROP ROLE "{row[0]}"')
    await inside.execute("ALTER ROLE flux NOCREATEROLE")
    await inside.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    (tmp_path / "policies").mkdir()
    return config.load(tmp_path, {"database.url": database_url}, env={})


def write(settings: Settings, text: str) -> None:
    (settings.project / "policies" / "notes.toml").write_text(text)


async def test_everything_is_done_once(
    superuser: str, settings: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """As with the embedded server: the second start finds nothing to do, and says nothing."""
    caplog.set_level(logging.INFO, "flux.tables")
    await connection.execute(NOTES)
    write(settings, OWN)
    await Tables(settings, superuser).prepare(connection)
    told = "\n".join(caplog.messages)
    assert "changes are recorded of: notes" in told
    assert "notes: version 1 from" in told
    assert "raw SQL to those of 1 table" in told
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert await has_event_triggers(connection)
    row = await connection.fetchrow("SELECT login, problem FROM flux.protection")
    assert row is not None
    assert (row["login"], row["problem"]) == (
        login_name(await connection.fetchval("SELECT current_database()")),
        "",
    )
    caplog.clear()
    await Tables(settings, superuser).prepare(connection)
    assert caplog.messages == []
    await connection.execute("CREATE TABLE later (id int)")
    await connection.execute("INSERT INTO later VALUES (1)")
    assert await connection.fetchval("SELECT count(*) FROM flux.mutations WHERE operation = 'insert'") == 1


async def test_a_server_that_allows_nothing(
    superuser: str, settings: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Flux serves all the same; what is missing, and how to get it, is said once."""
    caplog.set_level(logging.INFO, "flux.tables")
    theirs = await asyncpg.connect(superuser)
    await theirs.execute("CREATE TABLE theirs (id int)")
    await connection.execute(NOTES)
    found = Tables(settings)
    await found.prepare(connection)
    told = "\n".join(caplog.messages)
    assert "CREATE EVENT TRIGGER flux_mutation_ddl" in told
    assert "CREATEROLE" in told
    assert "runs as Flux' own user" in told
    assert "Changes of public.theirs are not recorded: permission denied for table theirs" in told
    caplog.clear()
    await found.refresh(connection)
    assert caplog.messages == []
    write(settings, OWN)
    await Tables(settings).prepare(connection)
    assert "ctx.db.sql is refused" in "\n".join(caplog.messages)
    await theirs.execute("DROP TABLE theirs")
    await theirs.close()


async def test_a_project_without_tables(superuser: str, settings: Settings, connection: Connection) -> None:
    for _ in range(2):
        await Tables(settings, superuser).prepare(connection)
    assert await connection.fetchval("SELECT login IS NOT NULL AND whole FROM flux.protection")


async def test_files_that_do_not_fit(superuser: str, settings: Settings, connection: Connection) -> None:
    await connection.execute(NOTES)
    write(settings, '[member.select]\nwhere = "ownr = $auth.uid"\n')
    with pytest.raises(ConfigError, match=r'notes\.toml: .*"ownr"'):
        await Tables(settings, superuser).prepare(connection)
    assert await policies.active(connection) == {}


async def test_a_table_that_is_locked(
    superuser: str,
    settings: Settings,
    connection: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A policy is in force everywhere or nowhere."""
    monkeypatch.setattr("flux.store.protection.LOCK_TIMEOUT_MS", 50)
    await connection.execute(NOTES)
    await Tables(settings, superuser).prepare(connection)
    write(settings, OWN)
    other = await asyncpg.connect(database_url)
    held = other.transaction()
    await held.start()
    await other.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
    with pytest.raises(LocalError, match="locked by another session"):
        await Tables(settings, superuser).prepare(connection)
    assert await policies.active(connection) == {}
    await held.rollback()
    await other.close()
    await Tables(settings, superuser).prepare(connection)
    assert set(await policies.active(connection)) == {"notes"}


async def test_a_watcher_finds_ddl_and_is_told_of_policies(
    superuser: str, settings: Settings, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHECK_S", 0.05)
    found = Tables(settings)
    await found.prepare(connection)
    watching = asyncio.create_task(found.watch(pool))
    await connection.execute(NOTES)
    query = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'notes'::regclass"
    async with asyncio.timeout(30):
        while not await connection.fetchval(query):
            await asyncio.sleep(0.02)  # nothing tells that it has looked
    schema = await read_schema(connection)
    async with connection.transaction():
        document = {"masked": ["body"], "member": {"preset": "full"}}
        await policies.save(connection, "notes", document, schema, source="api")
    found.changed()
    # Masked in the transaction of the policy: no row is recorded with the value in between.
    await connection.execute("INSERT INTO notes (body) VALUES ('hidden')")
    assert "masked:" in await connection.fetchval("SELECT new::text FROM flux.mutations WHERE operation = 'insert'")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_login_that_is_let_in_later(
    superuser: str, settings: Settings, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody does DDL then, nor starts Flux again: the watcher looks by itself."""
    monkeypatch.setattr(tables, "CHECK_S", 0.05)
    await connection.execute(NOTES)
    write(settings, OWN)
    served = Tables(settings, superuser)
    refuse = AsyncMock(return_value="too many connections")
    with monkeypatch.context() as full:
        full.setattr("flux.store.raw_login.try_login", refuse)
        await served.prepare(connection)
    assert await connection.fetchval(PROBLEM) == "too many connections"
    watching = asyncio.create_task(served.watch(pool))
    async with asyncio.timeout(30):
        while await connection.fetchval(PROBLEM):
            await asyncio.sleep(0.02)  # nothing tells that it has looked
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (None, ""),
        ("/postgres?", "leads to another database than Flux' own"),
        ("/none_of_that_name?", "Correct the URL"),
        ("127.0.0.1:5432x/none?", "Correct the URL"),
    ],
)
async def test_where_a_login_of_the_teams_own_leads_to(
    superuser: str, settings: Settings, connection: Connection, other: str | None, said: str
) -> None:
    """Raw SQL in another database would write to the wrong one."""
    await connection.execute(NOTES)
    inside = await asyncpg.connect(superuser)
    await inside.execute(f"CREATE ROLE {TEAMS} LOGIN PASSWORD 'x'")
    try:
        url = with_user(str(settings.database.url), TEAMS, "x")
        if other is not None:
            url = url.replace(f"/{await connection.fetchval('SELECT current_database()')}?", other)
        database = dataclasses.replace(settings.database, sql_url=url)
        await Tables(dataclasses.replace(settings, database=database)).prepare(connection)
        problem = await connection.fetchval(PROBLEM)
        assert said in problem
        assert bool(problem) == bool(said)
    finally:
        await inside.execute(f"DROP OWNED BY {TEAMS}; DROP ROLE {TEAMS}")
        await inside.close()


async def test_raw_sql_is_let_at_a_new_table_only_once_its_changes_are_recorded(
    superuser: str, settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(settings, OWN)
    await connection.execute(NOTES)
    served = Tables(settings, superuser)
    await served.prepare(connection)
    inside = await asyncpg.connect(superuser)  # without event triggers, as on most servers that others run
    await inside.execute("DROP EVENT TRIGGER flux_mutation_ddl; DROP EVENT TRIGGER flux_mutation_drop")
    await inside.close()
    await connection.execute("CREATE TABLE later (id int PRIMARY KEY)")
    let_in = """
        SELECT count(*) FROM pg_roles, flux.protection
        WHERE starts_with(rolname::text, login) AND has_table_privilege(rolname, 'later', 'INSERT')
    """

    async def fails(*_: object, **__: object) -> None:
        raise LocalError("not now")

    with monkeypatch.context() as patched:
        patched.setattr("flux.store.mutations.install.install", fails)
        with pytest.raises(LocalError, match="not now"):
            await served.refresh(connection)
    assert await connection.fetchval(let_in) == 0
    await served.refresh(connection)
    assert await connection.fetchval(let_in) > 0


CHECKED = """
[member.select]
where = "owner = $auth.uid"
[member.insert]
check = "owner = $auth.uid"
"""
STIRRED = """
CREATE FUNCTION stir() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stir BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION stir();
"""


async def test_checks_of_rows_follow_policies_and_triggers(
    superuser: str, settings: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Flux' own trigger comes with the first need of it, without anybody's DDL being noted, and goes with the last."""

    async def checked() -> bool:
        return (await read_schema(connection)).table("notes").checked

    await connection.execute(NOTES)
    write(settings, CHECKED)
    made = Tables(settings, superuser)
    await made.prepare(connection)
    assert not await checked()  # whether an owner is given can be told ahead
    before = await read_fingerprint(connection)
    await connection.execute(STIRRED)
    await connection.execute(FLUSH_FINGERPRINT)
    assert await read_fingerprint(connection) != before
    for _ in range(2):
        await made.refresh(connection)
        assert await checked()
    await policies.remove(connection, "notes", await read_schema(connection))
    await made.refresh(connection)
    assert not await checked()
    noted = await connection.fetch("SELECT new ->> 'object' FROM flux.mutations WHERE operation = 'ddl'")
    assert {row[0] for row in noted} == {"public.notes", "public.stir()", "stir on public.notes"}
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_a_table_that_no_check_may_be_made_on(
    superuser: str, settings: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = await asyncpg.connect(superuser)
    await theirs.execute(NOTES + ";" + STIRRED + "GRANT ALL ON notes TO flux; REVOKE TRIGGER ON notes FROM flux")
    write(settings, CHECKED)
    await Tables(settings).prepare(connection)
    assert "may not make a trigger on notes" in "\n".join(caplog.messages)
    assert not (await read_schema(connection)).table("notes").checked
    await theirs.execute("DROP TABLE notes")
    await theirs.close()


async def test_a_check_waits_for_a_table_that_is_locked(
    superuser: str, settings: Settings, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux.store.row_checks.LOCK_TIMEOUT_MS", 50)
    await connection.execute(NOTES)
    write(settings, CHECKED)
    made = Tables(settings, superuser)
    await made.prepare(connection)
    await connection.execute(STIRRED)
    other = await asyncpg.connect(database_url)
    held = other.transaction()
    await held.start()
    await other.execute("INSERT INTO notes (owner) VALUES ('x')")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await made.refresh(connection)
    await held.rollback()
    await other.close()
    await made.refresh(connection)
    assert (await read_schema(connection)).table("notes").checked
