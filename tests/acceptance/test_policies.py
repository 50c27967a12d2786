"""Policies through a real server: the engine and raw SQL show each caller the same, whatever is tried."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from flux.store.pool import Connection
from flux.store.raw_login import with_user
from tests.fixtures.server import Client, Serve

from .policed import caller, flux
from .projects import copy_of

IN_FORCE_S = 2.0


async def test_everybody_gets_what_is_theirs(policed: Client) -> None:
    ann, bob = await caller(policed, "ann", "member"), await caller(policed, "bob", "member")
    for who in (ann, bob):
        row = {"owner": who.uid, "tenant": "acme", "body": f"of {who.uid}"}
        assert (await who.query(table="notes", operation="insert", data=row))["body"] == f"of {who.uid}"
        assert await who.raw(
            ("insert into notes (owner, tenant, body) values ($1, 'acme', 'raw') returning body", who.uid)
        ) == [[{"body": "raw"}]]
    own = await ann.query(table="notes", order_by="id")
    assert [(row["owner"], row["body"]) for row in own] == [(ann.uid, f"of {ann.uid}"), (ann.uid, "raw")]
    assert "secret" not in own[0]
    by_raw_sql = await ann.raw(("select owner, body from notes order by id",), ("select count(*) from notes",))
    assert by_raw_sql == [[{"owner": row["owner"], "body": row["body"]} for row in own], [{"count": 2}]]

    admin = await caller(policed, "root", "admin")
    assert await admin.query(table="notes", operation="count") == 4
    assert await admin.raw(("select count(*), max(secret) as secret from notes",)) == [
        [{"count": 4, "secret": "hidden"}]
    ]
    stranger = await caller(policed, "stranger", "visitor")
    assert await stranger.query(table="notes") == "FORBIDDEN_TABLE"
    assert await stranger.raw(("select id from notes",)) == ["SQL_DENIED"]


async def test_what_a_member_may_not(policed: Client) -> None:
    ann, bob = await caller(policed, "ann", "member"), await caller(policed, "bob", "member", tenant="other")
    [[mine]] = await bob.raw(
        ("insert into notes (owner, tenant, body) values ($1, 'other', 'b') returning id", bob.uid)
    )
    assert await ann.query(table="notes", columns=["secret"]) == "FORBIDDEN_COLUMN"
    assert await ann.query(table="notes", where={"secret": "hidden"}) == "FORBIDDEN_COLUMN"
    assert await ann.query(table="notes", operation="delete", all=True) == "FORBIDDEN_TABLE"
    assert await ann.query(table="notes", operation="update", where={"id": mine["id"]}, data={"body": "x"}) == []
    wrong = {"owner": bob.uid, "tenant": "acme", "body": "x"}
    assert await ann.query(table="notes", operation="insert", data=wrong) == "FORBIDDEN_ROW"
    refused = await ann.raw(
        ("select secret from notes",),
        ("select * from notes",),
        ("delete from notes",),
        ("truncate notes",),
        ("update notes set owner = $1", ann.uid),
        ("insert into notes (owner, tenant, body) values ($1, 'acme', 'x')", bob.uid),
        ("insert into notes (owner, tenant, body) values ($1, 'other', 'x')", ann.uid),
        ("create table more (id int)",),
        ("alter table notes disable row level security",),
        ("drop policy flux_not_ours on notes",),
        ("copy notes to stdout",),
        ("select * from flux.api_keys",),
        ("select key from flux.secret",),
        ("delete from flux.mutations",),
        ("set session authorization flux",),
        ("set role flux",),
    )
    assert refused == [*["SQL_DENIED"] * 10, "STATEMENT_REFUSED", *["SQL_DENIED"] * 5]
    assert await ann.raw(("update notes set body = 'taken' returning id",)) == [[]]
    status, answer, _ = await ann.call("ungranted", {})
    assert (status, answer["error"]["code"]) == (403, "SQL_NOT_GRANTED")


async def test_no_way_around_them(policed: Client, connection: Connection) -> None:
    """Each on its own, then a look at what the next statement, and the next caller, see."""
    ann, bob = await caller(policed, "ann", "member"), await caller(policed, "bob", "member")
    admin = await caller(policed, "root", "admin")
    await bob.raw(("insert into notes (owner, tenant, body) values ($1, 'acme', 'of bob')", bob.uid))
    await admin.raw(("select 1",))
    names = await connection.fetch("SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, 'flux_sql_')")
    tried = [
        *((f'set role "{row["rolname"]}"',) for row in names),
        *(("select set_config('role', $1, false)", row["rolname"]) for row in names),
        ("reset role",),
        ("select set_config('flux.auth', $1, false)", '{"role": "admin"}'),
        ("select flux_auth.enter($1)", "00.eyJyb2xlIjoiYWRtaW4ifQ=="),
        ("set search_path = flux, public",),
        ("set row_security = off",),
        ("do $$ begin perform set_config('role', 'none', false); end $$",),
        ("select query_to_xml($1, true, true, '')", "select set_config('ro' || 'le', 'none', false)"),
        ("create temp table notes (owner text, body text)",),
        ("create function pg_temp.f() returns setof notes language sql security definer as 'select * from notes'",),
    ]
    seen = "select body from public.notes"
    for attempt in tried:
        _, after = await ann.raw(attempt, (seen,))
        assert after in ([], "SQL_DENIED"), attempt
    assert await bob.raw((seen,), ("select current_setting('search_path') as path",)) == [
        [{"body": "of bob"}],
        [{"path": "public"}],
    ]
    assert await admin.raw((seen,)) == [[{"body": "of bob"}]]


async def test_a_login_of_the_teams_own(serve: Serve, database_url: str, tmp_path: Path) -> None:
    """One Postgres role stands for all: rows are told apart, columns are those that all roles have."""
    superuser = await asyncpg.connect(database_url.replace("//flux@", "//postgres@"))
    await superuser.execute("CREATE ROLE acceptance_sql LOGIN PASSWORD 'x'")
    try:
        url = with_user(database_url, "acceptance_sql", "x")
        served = await serve(copy_of("policies", tmp_path), settings={"FLUX_DATABASE_SQL_URL": url})
        ann, bob = await caller(served, "ann", "member"), await caller(served, "bob", "member")
        insert = "insert into notes (owner, tenant, body) values ($1, 'acme', 'x') returning owner"
        for who in (ann, bob):
            assert await who.raw((insert, who.uid)) == [[{"owner": who.uid}]]
        admin, stranger = await caller(served, "root", "admin"), await caller(served, "stranger", "visitor")
        seen = ("select owner from notes order by id",)
        for who, owners in ((ann, [ann.uid]), (admin, [ann.uid, bob.uid]), (stranger, [])):
            assert await who.raw(("select current_user::text as name",), seen, ("select secret from notes",)) == [
                [{"name": "acceptance_sql"}],
                [{"owner": owner} for owner in owners],
                "SQL_DENIED",
            ]
        assert await ann.raw((insert, bob.uid), ("reset role",), seen) == ["SQL_DENIED", [], [{"owner": ann.uid}]]
    finally:
        await superuser.execute("DROP OWNED BY acceptance_sql; DROP ROLE acceptance_sql")
        await superuser.close()


async def test_a_change_is_in_force_soon(policed: Client, tmp_path: Path) -> None:
    ann = await caller(policed, "ann", "member")
    await ann.query(table="notes", operation="insert", data={"owner": ann.uid, "tenant": "acme", "body": "x"})
    assert await ann.query(table="counts", operation="count") == 1

    file = tmp_path / "counts.toml"
    file.write_text('[admin]\npreset = "full"\n')
    assert await flux(policed, "policy", "set", "counts", str(file)) == (0, "counts: version 1 is in force\n")
    await becomes(ann.query, "FORBIDDEN_TABLE", table="counts", operation="count")
    assert await ann.raw(("select notes from counts",)) == ["SQL_DENIED"]
    # The trigger on notes runs as whoever fires it, and may not count any more.
    assert await ann.raw(("insert into notes (owner, tenant, body) values ($1, 'acme', 'y')", ann.uid)) == [
        "SQL_DENIED"
    ]

    code, said = await flux(policed, "policy", "test", "counts", "--role", "member", "--operation", "select")
    assert (code, "denied" in said or "no" in said) == (1, True), said
    code, said = await flux(policed, "policy", "list")
    assert code == 0
    assert {"notes", "counts"} <= set(said.split())
    assert (await flux(policed, "policy", "remove", "counts"))[0] == 0
    await becomes(ann.query, 1, table="counts", operation="count")
    assert await ann.raw(("select notes from counts",)) == [[{"notes": 1}]]


async def becomes(ask: object, wanted: object, **query: object) -> None:
    """Within the time that a change of policies may take."""
    started = time.monotonic()
    while (found := await ask(**query)) != wanted:  # type: ignore[operator]  # a caller's `query`
        assert time.monotonic() - started < IN_FORCE_S, found
        await asyncio.sleep(0.05)  # nothing tells when a worker has heard


@pytest.mark.parametrize("by", ["api", "psql"])
async def test_tables_that_come_later(policed: Client, connection: Connection, by: str) -> None:
    """Raw SQL may use them, and their changes are recorded: at once after a migration, soon after DDL by hand."""
    ann = await caller(policed, "ann", "member")
    made = "CREATE TABLE later (id int PRIMARY KEY)"
    if by == "api":
        body = {"migrations": [{"name": "0002_later.sql", "sql": made}]}
        first = (policed.server.project / "migrations" / "0001_notes.sql").read_text()
        body["migrations"].insert(0, {"name": "0001_notes.sql", "sql": first})
        status, answer = await policed.api("POST", "/database/migrate", body)
        assert (status, answer["applied"]) == (200, ["0002_later.sql"]), answer
        assert await ann.raw(("insert into later values (1)",)) == [[]]
    else:
        await connection.execute(made)
        async with asyncio.timeout(30):
            while await ann.raw(("insert into later values (1)",)) != [[]]:
                await asyncio.sleep(0.2)  # the master looks every ten seconds
    rows = await connection.fetch(
        "SELECT actor FROM flux.mutations m JOIN flux.managed_tables t ON t.id = m.table_id WHERE t.name = 'later'"
    )
    assert [row["actor"] for row in rows] == [ann.uid]


STIRRED = """
ALTER TABLE notes ADD UNIQUE (body);
CREATE FUNCTION lowered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := lower(NEW.body); RETURN NEW; END $$;
CREATE TRIGGER lowered BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION lowered();
"""


async def test_a_key_of_a_hidden_row_is_told_to_whoever_may_write_only(policed: Client, connection: Connection) -> None:
    """Flux' own trigger comes by itself; until then both answers are one."""
    await connection.execute(STIRRED)
    ann, bob = await caller(policed, "ann", "member"), await caller(policed, "bob", "member")

    async def put(owner: str, body: str) -> str:
        answer = await ann.query(
            table="notes", operation="insert", data={"owner": owner, "tenant": "acme", "body": body}
        )
        return answer if isinstance(answer, str) else "done"

    await connection.execute("INSERT INTO notes (owner, tenant, body) VALUES ($1, 'acme', 'taken')", bob.uid)
    seen: list[str] = []
    async with asyncio.timeout(30):
        while not seen or seen[-1] != "UNIQUE_VIOLATION":
            assert await put(bob.uid, "Taken") == await put(bob.uid, "Free") == "FORBIDDEN_ROW"
            seen.append(await put(ann.uid, "Taken"))
            await asyncio.sleep(0.1)  # the master looks every ten seconds
    assert set(seen) <= {"FORBIDDEN_ROW", "UNIQUE_VIOLATION"}
    assert await put(ann.uid, "Free") == "done"
    assert await put(bob.uid, "Taken") == "FORBIDDEN_ROW"
