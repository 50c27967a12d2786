"""`flux db` and `flux generate` on a real Postgres: directly, and through a server that runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from cli.database import Direct
from cli.errors import Unreachable
from flux.store import postmaster
from flux.store.migrate import Migration
from tests.fixtures.server import Serve

from .conftest import Run

SCHEMA = """
import { column, defineSchema, sql, table } from "flux";
export default defineSchema({ tables: { users: table({ id: column.bigint().identity().primaryKey()%s }) } });
"""
EMAIL = ", email: column.text().unique()"
HELLO = "export default () => ({ hello: 1 });\n"


def query(url: str, text: str) -> object:
    async def fetch() -> object:
        conn = await asyncpg.connect(url)
        try:
            return await conn.fetchval(text)
        finally:
            await conn.close()

    return asyncio.run(fetch())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FLUX_URL", "FLUX_KEY", "FLUX_DATA", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "project"
    (folder / "schemas").mkdir(parents=True)
    (folder / "functions").mkdir()
    (folder / "functions" / "hello.ts").write_text(HELLO)
    (folder / "flux.toml").write_text("")
    declare(folder, EMAIL)
    monkeypatch.chdir(folder)
    return folder


def declare(folder: Path, columns: str) -> None:
    (folder / "schemas" / "main.schema.ts").write_text(SCHEMA % columns)


def test_from_nothing_and_on(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    assert run("db", "diff", *at)[:2] == (1, '  create table "users"\n')
    code, sql, _ = run("db", "push", "--dry-run", *at)
    assert code == 0
    assert 'CREATE TABLE "users"' in sql
    assert not (project / "migrations").exists()
    assert query(empty_url, "SELECT to_regclass('users')") is None

    assert run("db", "push", *at)[:2] == (0, '  create table "users"\n')
    assert [path.name for path in (project / "migrations").iterdir()] == ["0001_create_table_users.sql"]
    assert query(empty_url, "SELECT count(*) FROM users") == 0
    assert run("db", "diff", *at)[0] == 0
    code, out, _ = run("db", "push", "--json", *at)
    assert (code, json.loads(out)) == (0, {"changes": [], "migration": None})
    assert json.loads(run("db", "status", "--json", *at)[1])["migrations"][0]["state"] == "applied"


def test_line_ends_in_constants_stay_as_they_are(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    declare(project, r""", note: column.text().default("a\r\nb").check(sql`note <> E'\r'`).comment("c\rd")""")
    assert run("db", "push", *at)[0] == 0
    assert query(empty_url, "INSERT INTO users DEFAULT VALUES RETURNING note") == "a\r\nb"
    assert run("db", "diff", *at)[0] == 0


def test_defaults_that_json_does_not_know(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    declare(project, ", a: column.double().default(-Infinity), b: column.real().array().default([NaN, 1.5])")
    assert run("db", "push", *at)[0] == 0
    assert query(empty_url, "INSERT INTO users DEFAULT VALUES RETURNING concat(a, b)") == "-Infinity{NaN,1.5}"


def test_what_would_lose_data_is_refused(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    run("db", "push", *at)
    declare(project, "")
    code, _, errors = run("db", "push", *at)
    assert code == 1
    assert errors.splitlines() == [
        "error: this would lose data; nothing was changed: (DESTRUCTIVE)",
        '  drop column "email" of table "users"',
        "      loses all values of users.email (text, about 0 rows)",
        "hint: --allow-destructive does it; tables that something else looks after belong into `ignore`",
    ]
    assert len([*(project / "migrations").iterdir()]) == 1
    assert run("db", "push", "--allow-destructive", "--name", "No more mail", *at)[0] == 0
    assert (project / "migrations" / "0002_no_more_mail.sql").exists()
    assert run("db", "diff", *at)[0] == 0


def test_a_push_that_fails_leaves_no_file(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    run("db", "push", *at)
    query(empty_url, "INSERT INTO users (email) VALUES ('a') RETURNING 1")
    declare(project, EMAIL + ", name: column.text()")
    code, _, errors = run("db", "push", *at)
    assert code != 0
    assert 'column "name" of relation "users" contains null values' in errors
    assert len([*(project / "migrations").iterdir()]) == 1


def test_a_push_whose_answer_is_lost_keeps_its_file(
    project: Path, empty_url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--database", empty_url)
    migrate = Direct.migrate

    def lost(self: Direct, migrations: list[Migration], folder: Path) -> list[str]:
        migrate(self, migrations, folder)
        raise Unreachable("timed out")

    monkeypatch.setattr(Direct, "migrate", lost)
    code, _, errors = run("db", "push", *at)
    assert code == 6
    assert "0001_create_table_users.sql: `flux db status` tells whether it has been applied" in errors
    assert run("db", "status", *at)[1].startswith("applied  0001_create_table_users.sql")


def test_numbers_go_on_behind_what_others_have_applied(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    run("db", "push", *at)
    (project / "migrations" / "0001_create_table_users.sql").unlink()
    declare(project, EMAIL + ", age: column.integer().nullable()")
    assert run("db", "push", *at, "--name", "a")[0] == 0
    assert [path.name for path in (project / "migrations").iterdir()] == ["0002_a.sql"]


def test_what_postgres_does_not_allow(project: Path, empty_url: str, run: Run) -> None:
    revoke = "DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM flux', current_database()); END $$"
    query(empty_url, revoke)
    code, _, errors = run("db", "migrate", "--database", empty_url)
    assert code == 2
    assert "GRANT CREATE ON DATABASE" in errors


def test_a_connection_that_ends(project: Path, empty_url: str, run: Run) -> None:
    (project / "migrations").mkdir()
    (project / "migrations" / "0001_end.sql").write_text("SELECT pg_terminate_backend(pg_backend_pid())")
    code, _, errors = run("db", "migrate", "--database", empty_url)
    assert code == 1
    assert errors.startswith("error: Postgres: ")


def test_migrations_by_hand(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    (project / "migrations").mkdir()
    file = project / "migrations" / "0001_notes.sql"
    file.write_text("CREATE TABLE notes (id int);")
    code, out, _ = run("db", "status", *at)
    assert (code, out) == (0, "pending  0001_notes.sql\n")
    code, _, errors = run("db", "push", *at)
    assert code == 5
    assert "flux db migrate" in errors
    assert run("db", "migrate", *at)[:2] == (0, "applied 0001_notes.sql\n")
    assert run("db", "migrate", *at)[:2] == (0, "")
    file.write_text("CREATE TABLE notes (id bigint);")
    assert run("db", "status", *at)[0] == 1
    file.unlink()
    code, out, _ = run("db", "status", *at)
    assert code == 1
    assert out.startswith("missing  0001_notes.sql")


def test_mistakes(project: Path, empty_url: str, run: Run) -> None:
    (project / "schemas" / "main.schema.ts").write_text("export default 5;\n")
    code, _, errors = run("db", "diff", "--database", empty_url)
    assert code != 0
    assert "schemas/main.schema.ts: write `export default defineSchema" in errors
    assert "cannot connect to Postgres" in run("db", "status", "--database", "postgresql://127.0.0.1:1/none")[2]


def test_a_schema_that_is_wrong_is_said_once(project: Path, empty_url: str, run: Run) -> None:
    (project / "schemas" / "main.schema.ts").write_text("export default nothing;\n")
    code, _, errors = run("db", "diff", "--database", empty_url)
    assert code == 1
    assert errors.startswith("error: schemas/main.schema.ts:1:16 error TS2304: Cannot find name 'nothing'.")
    assert errors.count("Cannot find name") == 1
    assert "\n    export default nothing;\n                   ^" in errors


def test_a_schema_that_writes_to_the_console(project: Path, empty_url: str, run: Run) -> None:
    file = project / "schemas" / "main.schema.ts"
    written = file.read_text()
    file.write_text(written + "console.log('here', [1]); setTimeout(() => console.log('there'));\n")
    assert run("db", "diff", "--database", empty_url)[:2] == (1, '  create table "users"\n')
    file.write_text(written + "(globalThis as any).Deno.exit(0);\n")
    code, _, errors = run("db", "diff", "--database", empty_url)
    assert code == 1
    assert "the schemas ended the program" in errors


@pytest.mark.parametrize("command", ["diff", "push"])
def test_without_schemas(project: Path, empty_url: str, run: Run, command: str) -> None:
    (project / "schemas" / "main.schema.ts").unlink()
    code, out, errors = run("db", command, "--database", empty_url)
    assert (code, out) == (4, "")
    what = "there are no schemas: write schemas/main.schema.ts, `export default defineSchema({ ... })`"
    assert errors == f"error: {what} (NOT_FOUND)\n"


def test_types(project: Path, empty_url: str, run: Run) -> None:
    at = ("--database", empty_url)
    run("db", "push", *at)
    assert run("generate", "--check", *at)[0] == 1
    assert run("generate", *at)[0] == 0
    text = (project / "flux.d.ts").read_text()
    assert "email: string;" in text
    assert run("generate", "--check", *at)[0] == 0
    declare(project, EMAIL + ", age: column.integer().nullable()")
    run("db", "push", *at)
    code, out, _ = run("generate", "--json", *at)
    assert (code, json.loads(out)["changed"]) == (0, True)
    assert "age?: number | string | null;" in (project / "flux.d.ts").read_text()


async def test_through_a_server(project: Path, serve: Serve, run: Run) -> None:
    client = await serve(project)
    at = ("--project", str(project), "--data", str(client.server.data))
    assert (await asyncio.to_thread(run, "db", "push", *at))[0] == 0
    assert (await asyncio.to_thread(run, "db", "diff", *at))[0] == 0
    code, out, _ = await asyncio.to_thread(run, "db", "status", "--json", *at)
    assert (code, json.loads(out)["migrations"][0]["state"]) == (0, "applied")
    assert (await asyncio.to_thread(run, "generate", *at))[0] == 0
    assert "email: string;" in (project / "flux.d.ts").read_text()
    declare(project, "")
    assert (await asyncio.to_thread(run, "db", "push", *at))[0] == 1
    (project / "migrations" / "0002_bad.sql").write_text("SELECT nope;")
    code, _, errors = await asyncio.to_thread(run, "db", "migrate", *at)
    assert code == 5
    assert 'migrations/0002_bad.sql:1: column "nope" does not exist' in errors


def test_the_embedded_database(project: Path, run: Run) -> None:
    assert run("db", "push")[0] == 0
    assert run("db", "diff")[0] == 0
    assert postmaster.running(project / ".flux" / "postgres") is None


def test_outside_of_a_project_no_database_comes_into_being(
    project: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    code, _, errors = run("db", "status")
    assert code == 2
    assert f"{elsewhere} is no Flux project" in errors
    assert list(elsewhere.iterdir()) == []
    assert run("db", "status", "--project", str(project))[0] == 0
