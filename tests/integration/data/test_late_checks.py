"""A row that may not be written is refused before its keys are looked at, whatever the check looks at."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from flux.data.policy.model import Caller, Grant, Operation, Policies, TablePolicy
from flux.data.policy.rules import parse_rule
from flux.data.schema.introspect import read_schema
from flux.store import row_checks
from flux.store.pool import Connection
from tests.fixtures.data import database
from tests.fixtures.data.engine import Engine
from tests.fixtures.data.lines import Binary, prepare

# Rows are of whoever owns them, "mine/..." or "other/...". Row 2 is hidden, and has the code "taken".
ROWS = "INSERT INTO codes (id, owner, code) VALUES (1, 'mine/1', 'a'), (2, 'other/2', 'taken'), (3, 'mine/3', 'c');"
PLAIN = "CREATE TABLE codes (id integer PRIMARY KEY, owner text, code text UNIQUE, tenant text); "
TENANT_OF = "split_part(owner, '/', 1)"
TRIGGER = (
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$; "
    "CREATE TRIGGER zz_note BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION note();"
)
OWN = "tenant = $auth.tenant"
# By what only Postgres knows: the DDL and the check.
LATE: dict[str, tuple[str, str]] = {
    "a trigger that changes nothing": (PLAIN + TRIGGER.format("", "codes") + ROWS, "owner like 'mine/%'"),
    "a trigger that fills it in": (
        PLAIN + TRIGGER.format("NEW.tenant := split_part(NEW.owner, '/', 1);", "codes") + ROWS,
        OWN,
    ),
    "a trigger of a partition": (
        "CREATE TABLE codes (id integer, owner text, code text, tenant text, UNIQUE (code)) PARTITION BY LIST (code); "
        "CREATE TABLE part (gone text, tenant text, code text, id integer, owner text); "
        "ALTER TABLE part DROP gone; ALTER TABLE codes ATTACH PARTITION part DEFAULT; "
        + TRIGGER.format("NEW.tenant := split_part(NEW.owner, '/', 1);", "part")
        + ROWS,
        OWN,
    ),
    "a generated column": (
        f"CREATE TABLE codes (gone text, id integer PRIMARY KEY, owner text, code text UNIQUE,"
        f" tenant text GENERATED ALWAYS AS ({TENANT_OF}) STORED); ALTER TABLE codes DROP gone; {ROWS}",
        OWN,
    ),
    "a virtual column": (
        f"CREATE TABLE codes (id integer PRIMARY KEY, owner text, code text UNIQUE,"
        f" tenant text GENERATED ALWAYS AS ({TENANT_OF}) VIRTUAL); {ROWS}",
        OWN,
    ),
    "a computed column": (
        f"{PLAIN} CREATE FUNCTION tenant_of(codes) RETURNS text LANGUAGE sql STABLE AS $$ SELECT "
        f"split_part($1.owner, '/', 1) $$; {ROWS}",
        "tenant_of = $auth.tenant",
    ),
    "a computed column of a partition": (
        "CREATE TABLE codes (id integer, owner text, code text UNIQUE) PARTITION BY LIST (code); "
        "CREATE TABLE part (code text, id integer, owner text); ALTER TABLE codes ATTACH PARTITION part DEFAULT; "
        "CREATE FUNCTION tenant_of(codes) RETURNS text LANGUAGE sql STABLE AS $$ SELECT "
        f"split_part($1.owner, '/', 1) $$; {ROWS}",
        "tenant_of = $auth.tenant",
    ),
    "lists and documents": (
        f"{PLAIN} ALTER TABLE codes ADD labels text[] DEFAULT ARRAY[lower('X')], ADD settings jsonb DEFAULT "
        f"jsonb_build_object('a', 1); {ROWS}",
        "owner in $auth.claims.owners and labels @> array['x'] and settings->'a' = 1",
    ),
}
WAYS = ("insert", "insert of some", "upsert of a new one", "upsert of one that is there", "update", "update of all")


def document(way: str, owner: str, code: str) -> dict[str, Any]:
    row = {"owner": owner, "code": code}
    other = {"id": 8, "owner": "mine/1", "code": "b"}
    ways: dict[str, dict[str, Any]] = {
        "insert": {"operation": "insert", "data": {"id": 9, **row}},
        "insert of some": {"operation": "insert", "data": [other, {"id": 9, **row}]},
        "upsert of a new one": {"operation": "upsert", "data": {"id": 9, **row}, "on_conflict": ["id"]},
        "upsert of one that is there": {"operation": "upsert", "data": {"id": 1, **row}, "on_conflict": ["id"]},
        "update": {"operation": "update", "data": row, "where": {"id": 1}},
        "update of all": {"operation": "update", "data": row, "where": {"id": {"lt": 2}}},
    }
    return {"table": "codes", **ways[way]}


CALLER = Caller(tenant="mine", claims={"owners": ["mine/1", "mine/3"]})


async def engine_of(connection: Connection, late: str, *, checked: bool) -> Engine:
    return await engine_for(connection, *LATE[late], checked=checked)


async def engine_for(connection: Connection, ddl: str, rule: str, *, checked: bool = True) -> Engine:
    await prepare(connection)
    await connection.execute("BEGIN")
    await connection.execute("CREATE SCHEMA late; SET LOCAL search_path TO late")
    if "VIRTUAL" in ddl and connection.get_server_version().major < 18:
        pytest.skip("PostgreSQL 18 has them")
    await connection.execute(ddl)
    schema = await read_schema(connection)
    own = parse_rule(rule, schema.table("codes"), schema)
    operations: tuple[Operation, ...] = ("select", "insert", "update")
    grants = {("*", operation): Grant(where=own, check=own) for operation in operations}
    policies = Policies(tables={"codes": TablePolicy(table="codes", grants=grants)}, version="1")
    line = Binary(connection)
    if checked:
        schema = await database.check(line, policies, connection)
    return Engine(line, schema, policies, record=True)


def ways_of(late: str) -> list[str]:
    """A partitioned table has no unique key but that of its code."""
    return [way for way in WAYS if "partition" not in late or not way.startswith("upsert")]


@pytest.mark.parametrize("late", LATE)
async def test_a_refusal_tells_of_no_key(connection: Connection, late: str) -> None:
    engine = await engine_of(connection, late, checked=True)
    for way in ways_of(late):
        for code in ("taken", "free"):
            answer = await engine.ask(document(way, "other/9", code), CALLER, undo=True)
            assert (answer.code, answer.details) == ("FORBIDDEN_ROW", {}), (way, code)
            assert answer.plan
            assert not answer.plan.veiled
        taken = await engine.ask(document(way, "mine/1", "taken"), CALLER, undo=True)
        assert taken.code == "UNIQUE_VIOLATION", way
        done = await engine.ask(document(way, "mine/1", "free"), CALLER, undo=True)
        assert done.code == "", way
        assert "free" in done.body.decode()


@pytest.mark.parametrize("late", LATE)
async def test_without_the_trigger_refusals_and_keys_are_told_alike(connection: Connection, late: str) -> None:
    engine = await engine_of(connection, late, checked=False)
    for way in ways_of(late):
        refused, free, taken, done = [
            await engine.ask(document(way, owner, code), CALLER, undo=True)
            for owner in ("other/9", "mine/1")
            for code in ("taken", "free")
        ]
        assert refused.told() == free.told(), way
        assert refused.code == "FORBIDDEN_ROW"
        if late == "lists and documents" and way.startswith("update"):  # no default decides on an update
            assert taken.code == "UNIQUE_VIOLATION"
            continue
        assert taken.told() == refused.told(), way
        assert "unique key" in refused.message
        assert done.code == "", way


# What Flux' trigger would not see: the DDL, and the row that an update changes.
UNSEEN: dict[str, tuple[str, int]] = {
    "a trigger that fires later": (
        PLAIN + TRIGGER.format("NEW.tenant := split_part(NEW.owner, '/', 1);", "codes").replace("zz_note", '"~note"'),
        1,
    ),
    "a later trigger of a partition": (
        "CREATE TABLE codes (id integer, owner text, code text UNIQUE, tenant text) PARTITION BY LIST (code); "
        "CREATE TABLE part PARTITION OF codes DEFAULT; "
        + TRIGGER.format("NEW.tenant := split_part(NEW.owner, '/', 1);", "part").replace("zz_note", '"~note"'),
        1,
    ),
    "a trigger of a table that inherits": (
        PLAIN
        + "CREATE TABLE more (UNIQUE (code)) INHERITS (codes); "
        + TRIGGER.format("NEW.tenant := split_part(NEW.owner, '/', 1);", "more")
        + "INSERT INTO more (id, owner, code) VALUES (4, 'mine/4', 'd'), (5, 'other/5', 'taken');",
        4,
    ),
}


@pytest.mark.parametrize("unseen", UNSEEN)
async def test_where_the_trigger_would_not_be_the_last_refusals_and_keys_are_told_alike(
    connection: Connection, unseen: str
) -> None:
    ddl, number = UNSEEN[unseen]
    engine = await engine_for(connection, ddl + ROWS + "UPDATE codes SET tenant = 'mine' WHERE id <> 2", OWN)
    change = {"table": "codes", "operation": "update", "where": {"id": number}}
    refused, taken, done = [
        await engine.ask({**change, "data": {"owner": owner, "code": code}}, CALLER, undo=True)
        for owner, code in (("other/9", "free"), ("other/9", "taken"), ("mine/9", "free"))
    ]
    assert refused.code == "FORBIDDEN_ROW"
    assert refused.told() == taken.told()
    assert done.code == ""


@pytest.mark.parametrize("late", [late for late in LATE if "upsert of a new one" in ways_of(late)])
@pytest.mark.parametrize("checked", [True, False])
async def test_a_row_that_is_there_is_told_to_whoever_sees_it_only(
    connection: Connection, late: str, *, checked: bool
) -> None:
    engine = await engine_of(connection, late, checked=checked)
    leave = {"table": "codes", "operation": "upsert", "on_conflict": {"columns": ["id"], "update": "nothing"}}
    for number, code in ((2, "FORBIDDEN_ROW"), (9, "FORBIDDEN_ROW"), (1, "")):
        row = {"id": number, "owner": "other/9", "code": "x"}
        assert (await engine.ask({**leave, "data": row}, CALLER, undo=True)).code == code, number


VIEW = "CREATE VIEW shown AS SELECT * FROM codes; "


async def test_what_is_behind_a_view_is_not_foreseen(connection: Connection) -> None:
    """Defaults and triggers of its table are not the view's: what they make of a row may well be allowed."""
    await prepare(connection)
    await connection.execute("BEGIN")
    await connection.execute("CREATE SCHEMA late; SET LOCAL search_path TO late")
    await connection.execute(PLAIN + "ALTER TABLE codes ALTER tenant SET DEFAULT 'mine'; " + ROWS + VIEW)
    schema = await read_schema(connection)
    own = parse_rule(OWN, schema.table("shown"), schema)
    policy = TablePolicy(table="shown", grants={("*", "insert"): Grant(check=own)})
    policies = Policies(tables={"shown": policy}, version="1")
    schema = await database.check(Binary(connection), policies, connection)
    engine = Engine(Binary(connection), schema, policies)
    query = {"table": "shown", "operation": "insert", "data": {"id": 9, "code": "free"}}
    assert (await engine.ask(query, CALLER)).code == ""
    refused = await engine.ask({**query, "data": {"id": 10, "code": "x", "tenant": "other"}}, CALLER)
    taken = await engine.ask({**query, "data": {"id": 10, "code": "taken", "tenant": "other"}}, CALLER)
    assert refused.told() == taken.told()
    assert refused.code == "FORBIDDEN_ROW"


async def test_only_the_statement_itself_is_checked(connection: Connection) -> None:
    """Neither what a trigger of the team's writes on the way, nor the next statement of the transaction."""
    planner = await engine_of(connection, "a trigger that fills it in", checked=True)
    assert (await planner.ask(document("insert", "mine/1", "free"), CALLER)).code == ""
    assert await connection.fetchval("SELECT current_setting('flux.check')")
    await connection.execute("INSERT INTO codes (id, owner, code) VALUES (20, 'other/20', 'x')")
    await connection.execute(
        "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN "
        "INSERT INTO codes (id, owner, code) VALUES (NEW.id + 100, 'other/1', NEW.code || '!'); END IF; RETURN NEW; "
        "END $$; CREATE TRIGGER copy BEFORE INSERT ON codes FOR EACH ROW EXECUTE FUNCTION copy()"
    )
    schema = await read_schema(connection)
    own = parse_rule(OWN, schema.table("codes"), schema)
    policy = TablePolicy(table="codes", grants={("*", "insert"): Grant(check=own), ("*", "select"): Grant()})
    engine = Engine(Binary(connection), schema, Policies(tables={"codes": policy}, version="2"))
    answer = await engine.ask(
        {"table": "codes", "operation": "insert", "data": {"id": 30, "owner": "mine/1", "code": "y"}}, CALLER
    )
    assert answer.code == ""
    assert await connection.fetchval("SELECT count(*) FROM codes WHERE id IN (30, 130)") == 2


SET_AND_PUT = """
SELECT late.put() FROM set_config('flux.check', json_build_object('at', statement_timestamp()::text,
    'table', 'late.codes'::regclass::oid, 'INSERT', 'INSERT INTO late.trace VALUES (current_user)',
    'values', '[]'::json)::text, true)
"""


@pytest.mark.parametrize("definer", [True, False])
async def test_nobody_is_made_to_ask_for_another(database_url: str, *, definer: bool) -> None:
    """A function with its owner's rights writes to the table: what whoever calls it has set is not executed."""
    connection = await asyncpg.connect(database_url.replace("//flux@", "//postgres@"))
    await connection.execute("BEGIN; CREATE SCHEMA late; SET LOCAL search_path TO late")
    await connection.execute(PLAIN + ROWS + "CREATE TABLE trace (said text)")
    await connection.execute(row_checks.make((await read_schema(connection)).table("codes")))
    await connection.execute(
        f"CREATE FUNCTION put() RETURNS void LANGUAGE sql SECURITY {'DEFINER' if definer else 'INVOKER'} AS $$ "
        "INSERT INTO late.codes (id) VALUES (50) $$"
    )
    if definer:
        await connection.execute("CREATE ROLE flux_test_late; GRANT USAGE ON SCHEMA late TO flux_test_late")
        await connection.execute("SET LOCAL ROLE flux_test_late")
    await connection.execute(SET_AND_PUT)
    await connection.execute("RESET ROLE")
    assert await connection.fetchval("SELECT count(*) FROM codes WHERE id = 50") == 1
    assert await connection.fetchval("SELECT count(*) FROM trace") == (0 if definer else 1)
    await connection.execute("ROLLBACK")
    await connection.close()
