"""Raw SQL as the login that Flux made for it: kept to policies by Postgres, away from schema flux always."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from flux import config
from flux.data.policy.rls.names import login_name
from flux.data.schema.introspect import read_schema
from flux.failure import HostError
from flux.manifest import DatabaseUse
from flux.store import policies as store
from flux.store.mutations import weeks
from flux.store.mutations.install import install
from flux.store.pool import Connection, Pool
from flux.store.protection import apply
from flux.store.raw_login import let_make_roles
from flux.store.wire.lanes import open_lanes
from flux.workers.host import catalogue
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services
from tests.fixtures.postgres import Server
from tests.integration.workers.host.conftest import World, spec

TABLES = """
CREATE TABLE notes (id serial PRIMARY KEY, owner text NOT NULL, body text NOT NULL, secret text NOT NULL DEFAULT 's');
CREATE TABLE tags (id serial PRIMARY KEY, name text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO notes (owner, body) VALUES ('ann', 'of ann'), ('bob', 'of bob');
CREATE FUNCTION add_tag(name text) RETURNS int LANGUAGE sql VOLATILE AS
    'INSERT INTO tags (name) VALUES ($1) RETURNING id';
CREATE OPERATOR @+ (rightarg = text, function = add_tag);
CREATE TABLE log (what text);
CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO log VALUES (''tag '' || NEW.name); RETURN NEW; END';
CREATE TRIGGER logged AFTER INSERT ON tags FOR EACH ROW EXECUTE FUNCTION logged();
"""
OWN = {
    "member": {
        "select": {"columns": {"except": ["secret"]}, "where": "owner = $auth.uid"},
        "insert": {"columns": ["owner", "body"], "check": "owner = $auth.uid"},
        "update": {"columns": ["body"], "where": "owner = $auth.uid"},
    },
    "admin": {"preset": "full"},
}
ANN: Mapping[str, Any] = {"id": "ann", "role": "member"}
BOB: Mapping[str, Any] = {"id": "bob", "role": "member"}
ADMIN: Mapping[str, Any] = {"id": "root", "role": "admin"}

Protect = Callable[..., Awaitable[None]]


@pytest.fixture
async def protect(postgres: Server, connection: Connection, database_url: str) -> AsyncIterator[Protect]:
    """Makes the tables; `await protect(notes=OWN)` puts policies in force."""
    superuser = await asyncpg.connect(postgres.url("postgres", user="postgres"))
    await let_make_roles(superuser, "flux")
    await connection.execute(TABLES)
    await weeks.ensure_weeks(connection, datetime.now(UTC).date())
    await install(connection)

    async def set_policies(**documents: Any) -> None:
        schema = await read_schema(connection)
        async with connection.transaction():
            for table in await store.active(connection):
                await store.remove(connection, table, schema)
            for table, document in documents.items():
                await store.save(connection, table, document, schema, source="api")
            loaded = await store.load(connection, schema)
            await apply(connection, schema, loaded.policies)

    yield set_policies
    await superuser.close()
    # The roles are the cluster's; what they were granted in this database goes first.
    inside = await asyncpg.connect(database_url.replace("//flux@", "//postgres@"))
    login = login_name(await connection.fetchval("SELECT current_database()"))
    for row in await inside.fetch("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, $1)", login):
        await inside.execute(f'DROP OWNED BY "{row[0]}"; DROP ROLE "{row[0]}"')
    await inside.close()


@pytest.fixture
async def restricted(
    protect: Protect, pool: Pool, database_url: str, world: World, tmp_path: Path
) -> AsyncIterator[Services]:
    """A worker's services that know where they are connected to, as in a server."""
    functions = {"caller": spec("caller"), "send_welcome": spec("send_welcome", max_attempts=3)}
    lanes = open_lanes(database_url, 2, statement_timeout_ms=15_000)
    services = Services(
        pool=pool,
        lanes=lanes,
        settings=config.load(tmp_path, {"database.url": database_url}, env={}),
        secrets={},
        functions=lambda: functions,
        invoke=world.invoke,
        nudge=world.nudge,
    )
    yield services
    await services.close()
    await lanes.close()


class Function:
    """One execution of a function, called by `user`."""

    def __init__(self, services: Services, user: Mapping[str, Any] | None = None, *, sql: bool | None = None) -> None:
        self.request_id = uuid.uuid4()
        self.scope = Scope(
            services=services,
            spec=spec("caller", db=DatabaseUse(sql=sql)),
            request_id=self.request_id.bytes,
            user=user,
        )
        self.span = 2

    async def __call__(self, op: str, /, **args: Any) -> Any:
        self.span += 1
        return orjson.loads(await answer(self.scope, op, orjson.dumps(args), self.span))

    async def sql(self, text: str, *params: Any, tx: int | None = None) -> Any:
        return await self("db.sql", text=text, params=list(params), **({} if tx is None else {"tx": tx}))

    async def refused(self, text: str, *params: Any, tx: int | None = None) -> str:
        with pytest.raises(HostError) as caught:
            await self.sql(text, *params, tx=tx)
        return caught.value.code


Acting = Callable[..., Function]


@pytest.fixture
async def acting(restricted: Services) -> AsyncIterator[Acting]:
    """`acting(ANN, sql=True)`: an execution that she has called, of a function that may use raw SQL."""
    made: list[Function] = []

    def make(user: Mapping[str, Any] | None = None, *, sql: bool | None = None) -> Function:
        made.append(Function(restricted, user, sql=sql))
        return made[-1]

    yield make
    for function in made:
        await function.scope.close()


async def mutations(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """(operation, request, span, function, actor) of each, and forgets them."""
    rows = await connection.fetch(
        "SELECT m.operation, m.request_id, m.span, m.function, m.actor FROM flux.mutations m "
        "JOIN flux.managed_tables t ON t.id = m.table_id WHERE t.name = $1 ORDER BY m.id",
        table,
    )
    await connection.execute("DELETE FROM flux.mutations")
    return [tuple(row) for row in rows]


async def test_a_setting_that_stays_with_the_login_stops_nobody(
    protect: Protect, connection: Connection, acting: Acting
) -> None:
    await protect(notes=OWN)
    login = login_name(await connection.fetchval("SELECT current_database()"))
    await connection.execute(f'ALTER ROLE "{login}" SET row_security = off')
    assert await acting(ANN, sql=True).sql("SELECT count(*) AS number FROM notes") == [{"number": 1}]


async def test_without_policies_rows_are_open_and_schema_flux_is_not(protect: Protect, acting: Acting) -> None:
    await protect()
    call = acting()
    assert await call.sql("SELECT session_user <> 'flux' AS other, count(*) FROM notes GROUP BY 1") == [
        {"other": True, "count": 2}
    ]
    assert await call.sql("UPDATE notes SET body = 'new' WHERE id = $1 RETURNING body", 1) == [{"body": "new"}]
    assert await call.sql("TRUNCATE log") == []
    assert await call.sql("SELECT setval('notes_id_seq', 50) AS at") == [{"at": 50}]
    for text in (
        "SELECT * FROM flux.secret",
        "SELECT count(*) FROM flux.api_keys",
        "DELETE FROM flux.mutations",
        "UPDATE flux.jobs SET state = 'done'",
        "DROP TABLE notes",
        "ALTER TABLE notes DISABLE TRIGGER ALL",
        "CREATE TABLE more (id int)",
        "SET ROLE flux",
        "SET SESSION AUTHORIZATION flux",
        "DO $$ BEGIN EXECUTE 'SELECT * FROM fl' || 'ux.secret'; END $$",
        "SELECT flux_auth.verified('x.y')",
        "SELECT flux_auth.push('x.y')",
    ):
        assert await call.refused(text) == "SQL_DENIED", text
    tx = (await call("db.begin"))["tx"]
    assert await call.refused("SELECT key FROM flux.secret", tx=tx) == "SQL_DENIED"
    await call("db.rollback", tx=tx)


async def test_all_means_all_while_there_is_nothing_to_protect(
    protect: Protect, restricted: Services, database_url: str, tmp_path: Path, acting: Acting
) -> None:
    await protect()
    restricted.settings = config.load(tmp_path, {"database.url": database_url, "database.sql": "all"}, env={})
    call = acting()
    await call.sql("CREATE TABLE more (id int)")
    assert await call.sql("SELECT current_user AS me") == [{"me": "flux"}]
    await call.sql("DROP TABLE more")


async def test_whose_changes_they_are(protect: Protect, connection: Connection, acting: Acting) -> None:
    await protect()
    call = acting(ANN)
    about = ("caller", "ann")
    await call.sql("INSERT INTO tags (name) VALUES ('a')")
    assert await mutations(connection, "log") == [("insert", call.request_id, 3, *about)]
    await call.sql("INSERT INTO tags (name) VALUES ('b')")
    assert await mutations(connection, "tags") == [("insert", call.request_id, 4, *about)]
    await call.sql("DO $$ BEGIN DELETE FROM tags WHERE name = 'a'; END $$")
    assert await mutations(connection, "tags") == [("delete", call.request_id, 5, *about)]
    tx = (await call("db.begin"))["tx"]
    await call.sql("SELECT 1", tx=tx)
    await call.sql("DELETE FROM tags", tx=tx)
    await call("db.insert", table="tags", data={"name": "c"}, tx=tx)
    await call("db.commit", tx=tx)
    assert await mutations(connection, "tags") == [
        ("delete", call.request_id, 8, *about),
        ("insert", call.request_id, 9, *about),
    ]


async def test_what_looks_like_a_read_and_writes(
    protect: Protect, restricted: Services, connection: Connection, acting: Acting
) -> None:
    await protect()
    call = acting(ANN)
    for text in ("SELECT add_tag('a')", "SELECT @+ 'b'", "WITH w AS (INSERT INTO tags (name) VALUES ('c')) SELECT 1"):
        await call.sql(text)
        assert await mutations(connection, "tags") == [("insert", call.request_id, call.span, "caller", "ann")], text
    await call.sql("SELECT @+ 'd'")
    assert len(await call.sql("SELECT * FROM tags")) == 4
    assert restricted.catalogue.writers == {"SELECT @+ 'b'", "SELECT @+ 'd'"}
    assert await call.sql("SELECT * FROM notes WHERE id = 1 FOR UPDATE") != []


async def test_a_commit_that_fails(protect: Protect, connection: Connection, acting: Acting) -> None:
    await protect()
    call = acting()
    assert await call.refused("INSERT INTO tags (name) VALUES ('x'), ('x')") == "UNIQUE_VIOLATION"
    assert await call.sql("SELECT * FROM tags") == []
    assert await mutations(connection, "tags") == []


async def test_policies_hold(protect: Protect, acting: Acting) -> None:
    await protect(notes=OWN)
    with pytest.raises(HostError, match=r"may not use ctx\.db\.sql") as caught:
        await acting(ANN).sql("SELECT 1")
    assert (caught.value.status, caught.value.code) == (403, "SQL_NOT_GRANTED")
    for who, body in ((ANN, "of ann"), (BOB, "of bob")):
        call = acting(who, sql=True)
        assert await call.sql("SELECT body FROM notes") == [{"body": body}]
        assert await call.sql("SELECT flux_auth.uid() AS uid") == [{"uid": who["id"]}]
        assert await call.sql("UPDATE notes SET body = body || '.' RETURNING body") == [{"body": body + "."}]
        assert await call.refused("SELECT secret FROM notes") == "SQL_DENIED"
        assert await call.refused("DELETE FROM notes") == "SQL_DENIED"
        assert await call.refused("INSERT INTO notes (owner, body) VALUES ('cid', 'x')") == "SQL_DENIED"
    assert len(await acting(ADMIN, sql=True).sql("SELECT secret FROM notes")) == 2
    assert await acting(sql=True).refused("SELECT id FROM notes") == "SQL_DENIED"


async def test_bypasses(protect: Protect, restricted: Services, acting: Acting) -> None:
    await protect(notes=OWN)
    call = acting(ANN, sql=True)
    await call.sql("SELECT 1")
    raw = await restricted.catalogue.raw_sql(restricted)
    assert raw.login is not None
    principal = raw.login.principal("admin", (await restricted.catalogue.engine(restricted)).policies)
    steps = (
        (f"SET ROLE {principal}",),
        ("RESET ROLE",),
        (f"SELECT set_config('role', '{principal}', false)",),
        ("SELECT set_config('flux.auth', current_setting('flux.auth'), false)",),
        (f"SET SESSION ROLE {principal}", "SET search_path = pg_temp", "SELECT 1"),
    )
    for texts in steps:
        tx = (await call("db.begin"))["tx"]
        for text in texts:
            with contextlib.suppress(HostError):
                await call.sql(text, tx=tx)
        with contextlib.suppress(HostError):
            assert await call.sql("SELECT body FROM public.notes WHERE owner <> 'ann'", tx=tx) == []
        with contextlib.suppress(HostError):
            await call("db.commit", tx=tx)
        other = acting(BOB, sql=True)
        assert await other.sql("SELECT body, current_setting('search_path') AS path FROM notes") == [
            {"body": "of bob", "path": "public"}
        ]
        for text in texts:
            with contextlib.suppress(HostError):
                await call.sql(text)
        assert await other.sql("SELECT body FROM notes") == [{"body": "of bob"}]


async def test_transactions_of_everything(
    protect: Protect, connection: Connection, world: World, acting: Acting
) -> None:
    """Engine, raw SQL and jobs are one transaction, and all of it is the caller's."""
    await protect(notes=OWN)
    call = acting(ANN, sql=True)
    payload = {"text": "ä€\x00", "number": 12345678901234567890}
    for finish, left in (("db.rollback", 0), ("db.commit", 1)):
        tx = (await call("db.begin", isolation="serializable"))["tx"]
        row = await call("db.insert", table="notes", data={"owner": "ann", "body": "both"}, tx=tx)
        assert await call.sql("SELECT body FROM notes WHERE id = $1", row["id"], tx=tx) == [{"body": "both"}]
        inner = (await call("db.begin", tx=tx))["tx"]
        with pytest.raises(HostError) as caught:
            await call("db.insert", table="notes", data={"owner": "bob", "body": "x"}, tx=inner)
        assert caught.value.code == "FORBIDDEN_ROW"
        await call("db.rollback", tx=inner)
        await call.sql("UPDATE notes SET body = 'raw' WHERE id = $1", row["id"], tx=tx)
        job = await call("queue.push", function="send_welcome", payload=payload, idempotency_key="k", tx=tx)
        again = await call("queue.push", function="send_welcome", payload={}, idempotency_key="k", tx=tx)
        assert again == job
        await call(finish, tx=tx)
        assert await connection.fetchval("SELECT count(*) FROM notes WHERE body = 'raw'") == left
        assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == left
    assert world.nudges == 1
    pushed = await connection.fetchrow("SELECT *, payload::text AS text FROM flux.jobs")
    assert pushed is not None
    assert orjson.loads(pushed["text"]) == payload
    assert (pushed["function"], pushed["max_attempts"], pushed["idempotency_key"]) == ("send_welcome", 3, "k")
    assert (pushed["parent_request_id"], orjson.loads(pushed["caller"])) == (call.request_id, ANN)
    assert [entry[:3] for entry in await mutations(connection, "notes")] == [
        ("insert", call.request_id, call.span - 8),
        ("update", call.request_id, call.span - 3),
    ]


async def test_policies_come_in_a_transaction(protect: Protect, restricted: Services, acting: Acting) -> None:
    """One that Flux' own user began must not see what the policies hide from now on."""
    await protect()
    restricted.catalogue.forget()
    call = acting(ANN, sql=True)
    tx = (await call("db.begin"))["tx"]
    await call("db.commit", tx=tx)
    owner = acting(ANN, sql=False)
    tx = (await owner("db.begin"))["tx"]
    await protect(notes=OWN)
    restricted.catalogue.forget()
    assert await owner.refused("SELECT * FROM notes", tx=tx) == "SQL_NOT_GRANTED"
    owner.scope.spec = call.scope.spec
    assert await owner.refused("SELECT * FROM notes", tx=tx) == "TRANSACTION_ABORTED"
    await owner("db.rollback", tx=tx)


async def test_a_function_without_the_grant(protect: Protect, restricted: Services, acting: Acting) -> None:
    await protect(notes=OWN)
    call = acting(ANN)
    tx = (await call("db.begin"))["tx"]
    await call("db.update", table="notes", where={"id": 1}, data={"body": "mine"}, tx=tx)
    await call("queue.push", function="send_welcome", payload={}, tx=tx)
    await call("db.commit", tx=tx)
    assert restricted._logins == {}


async def test_ddl_between_two_calls(protect: Protect, connection: Connection, acting: Acting) -> None:
    """A statement that was planned before is planned again, in its transaction."""
    await protect()
    call = acting()
    text = "UPDATE notes SET body = body WHERE id = 1 RETURNING *"
    before = await call.sql(text)
    await connection.execute("ALTER TABLE notes ADD COLUMN more int")
    assert await call.sql(text) == [{**before[0], "more": None}]


async def test_without_a_login_raw_sql_is_refused(protect: Protect, connection: Connection, acting: Acting) -> None:
    await protect(notes=OWN)
    await connection.execute("UPDATE flux.protection SET problem = 'Nobody let it in.'")
    call = acting(ANN, sql=True)
    with pytest.raises(HostError, match="Nobody let it in"):
        await call.sql("SELECT 1")
    tx = (await call("db.begin"))["tx"]
    assert len(await call("db.find", table="notes", tx=tx)) == 1
    await call("db.commit", tx=tx)


@pytest.mark.parametrize("protected", [True, False])
async def test_nobody_reads_as_whom_others_ask(protect: Protect, acting: Acting, *, protected: bool) -> None:
    """A token or an identity that were seen could be used again by whoever comes to the same backend."""
    await protect(**({"notes": OWN} if protected else {}))
    admin, ann = acting(ADMIN, sql=True), acting(ANN, sql=True)
    waiting = (await admin("db.begin"))["tx"]
    looking = (await ann("db.begin"))["tx"]
    await ann.sql("SELECT set_config('role', 'none', true)", tx=looking)
    others = "FROM pg_stat_activity WHERE usename = session_user AND pid <> pg_backend_pid()"
    [seen] = await ann.sql(f"SELECT state, query {others}", tx=looking)
    assert seen["state"] == "idle in transaction"
    assert "$1" in seen["query"]
    assert "{" not in seen["query"]
    await admin("db.rollback", tx=waiting)
    await ann("db.rollback", tx=looking)


async def test_a_policy_is_in_force_for_the_first_who_comes_after_a_while(
    protect: Protect, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await protect(notes={"*": {"preset": "read_only"}})
    bob = acting(BOB)
    assert await bob("db.count", table="notes") == 2
    await protect(notes={"*": {"select": {"where": "owner = $auth.uid"}}})
    monkeypatch.setattr(catalogue, "CHECK_S", 0.0)  # nobody has asked since
    assert await bob("db.count", table="notes") == 1


async def test_who_asks_for_changes_needs_no_connection_that_transactions_hold(
    protect: Protect, acting: Acting, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await protect()
    holders = [acting(BOB, sql=False) for _ in range(pool.get_max_size())]
    await holders[0]("db.count", table="notes")
    transactions = [(await each("db.begin"))["tx"] for each in holders]
    monkeypatch.setattr(catalogue, "CHECK_S", 0.0)
    assert await holders[0]("db.count", table="notes", tx=transactions[0]) == 2
