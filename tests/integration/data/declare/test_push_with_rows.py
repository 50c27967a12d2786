"""Changes of tables that hold rows: what is kept, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from flux.data.declare import migration
from flux.data.declare.change import Change
from flux.data.declare.compare import compare
from flux.data.declare.document import read_documents
from flux.errors import ConfigError
from flux.store.pool import Connection

USERS = """
    CREATE TYPE plan AS ENUM ('free', 'pro', 'old');
    CREATE TABLE users (id bigint PRIMARY KEY, mail text, plan plan NOT NULL DEFAULT 'free', plans plan[],
        CHECK (plan <> 'old'));
    CREATE INDEX free ON users (mail) WHERE plan = 'free';
    INSERT INTO users VALUES (1, 'a', 'free', '{pro}'), (7, 'b', 'pro', NULL);
"""


def schema(columns: dict[str, Any], labels: tuple[str, ...] = ("free", "pro", "old"), **options: Any) -> dict[str, Any]:
    return {"enums": {"plan": labels}, "tables": {"users": {"columns": columns, "options": options}}}


COLUMNS: dict[str, Any] = {
    "id": {"type": "bigint", "primaryKey": True},
    "mail": {"type": "text", "nullable": True},
    "plan": {"type": "plan", "enum": "plan", "default": {"value": "free"}, "check": "plan <> 'old'"},
    "plans": {"type": "plan", "enum": "plan", "dimensions": 1, "nullable": True},
}
FREE = {"columns": ["mail"], "where": "plan = 'free'", "name": "free"}


@pytest.fixture
async def conn(connection: Connection) -> Connection:
    await connection.execute(USERS)
    return connection


async def push(conn: Connection, declared: dict[str, Any]) -> list[Change]:
    definition = read_documents([("test", declared)])
    changes = await compare(conn, definition)
    if changes:
        async with conn.transaction():
            await conn.execute(migration.text(changes))
    assert await compare(conn, definition) == []
    return changes


async def test_what_is_there_is_found(conn: Connection) -> None:
    assert await push(conn, schema(COLUMNS, indexes=[FREE])) == []


async def test_renames_keep_values(conn: Connection) -> None:
    columns = {**COLUMNS, "email": {"type": "text", "nullable": True, "renamedFrom": "mail"}}
    del columns["mail"]
    declared = schema(columns, indexes=[{**FREE, "columns": ["email"]}], renamedFrom="users")
    declared["tables"] = {"people": declared["tables"]["users"]}
    changes = await push(conn, declared)
    assert [change.lost for change in changes] == [None, None]
    assert [tuple(row) for row in await conn.fetch("SELECT id, email FROM people ORDER BY id")] == [(1, "a"), (7, "b")]


async def test_an_identity_goes_on(conn: Connection) -> None:
    await push(conn, schema({**COLUMNS, "id": {**COLUMNS["id"], "identity": "always"}}, indexes=[FREE]))
    assert await conn.fetchval("INSERT INTO users (mail) VALUES ('c') RETURNING id") == 8


async def test_a_serial_column_becomes_an_identity(connection: Connection) -> None:
    await connection.execute('CREATE TABLE "it\'s" (id serial PRIMARY KEY); INSERT INTO "it\'s" VALUES (1), (7)')
    column = {"type": "integer", "primaryKey": True, "identity": "always"}
    await push(connection, {"tables": {"it's": {"columns": {"id": column}}}})
    assert await connection.fetchval('INSERT INTO "it\'s" DEFAULT VALUES RETURNING id') == 8


async def test_a_unique_constraint_that_a_foreign_key_needs(connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL, UNIQUE (b)); INSERT INTO a VALUES (1, 2);"
        "CREATE TABLE c (id int PRIMARY KEY REFERENCES a, b int NOT NULL REFERENCES a (b)); INSERT INTO c VALUES (1, 2)"
    )
    key = {"type": "integer", "primaryKey": True}
    named = {"unique": [{"columns": ["b"], "name": "only_b"}]}
    declared: dict[str, Any] = {
        "a": {"columns": {"id": key, "b": {"type": "integer"}}, "options": named},
        "c": {
            "columns": {
                "id": {**key, "references": {"table": "a", "column": "id"}},
                "b": {"type": "integer", "references": {"table": "a", "column": "b"}},
            }
        },
    }
    changes = await push(connection, {"tables": declared})
    assert [each.summary for each in changes if "foreign" in each.summary] == [
        'drop foreign key of table "c": "b" to a',
        'add foreign key to table "c": "b" to a',
    ]


async def test_an_enumeration_that_is_made_anew(conn: Connection) -> None:
    columns = {**COLUMNS, "plan": {**COLUMNS["plan"], "default": {"value": "gold"}, "check": "plan <> 'gone'"}}
    [change, *_] = await push(conn, schema(columns, ("pro", "gold", "free", "gone"), indexes=[FREE]))
    assert change.lost == "label old of enumeration plan: this fails while a row has it"
    assert [tuple(row) for row in await conn.fetch("SELECT id, plan, plans FROM users ORDER BY id")] == [
        (1, "free", ["pro"]),
        (7, "pro", None),
    ]
    assert await conn.fetchval("INSERT INTO users VALUES (8) RETURNING plan") == "gold"


REST = ("free", "pro")  # without a label, so that the enumeration is made anew


async def test_an_enumeration_of_columns_that_are_renamed(conn: Connection) -> None:
    columns = {"id": COLUMNS["id"], "kind": {**COLUMNS["plan"], "renamedFrom": "plan", "check": "kind <> 'pro'"}}
    declared = schema({**columns, "mail": COLUMNS["mail"], "plans": COLUMNS["plans"]}, REST, renamedFrom="users")
    declared["tables"] = {"people": declared["tables"]["users"]}
    await conn.execute("DELETE FROM users WHERE plan = 'pro'")
    await push(conn, declared)
    assert await conn.fetchval("SELECT kind FROM people") == "free"


async def test_an_enumeration_of_columns_that_go(conn: Connection) -> None:
    """They hold labels that leave, and arrays."""
    await conn.execute("ALTER TABLE users DROP CONSTRAINT users_plan_check; UPDATE users SET plan = 'old'")
    columns = {**COLUMNS, "plan": {"type": "text"}}
    del columns["plans"]
    declared = schema(columns, REST)
    declared["tables"]["teams"] = {"columns": {"id": COLUMNS["id"], "plan": {"type": "plan", "enum": "plan"}}}
    await push(conn, declared)
    assert await conn.fetchval("SELECT string_agg(DISTINCT plan, ' ') FROM users") == "old"


async def test_an_enumeration_of_a_table_that_is_ignored(conn: Connection) -> None:
    await conn.execute("UPDATE users SET plan = 'pro'; ALTER TABLE users DROP CONSTRAINT users_plan_check")
    await conn.execute("DROP INDEX free")
    declared = schema({}, REST)
    teams = {"columns": {"id": COLUMNS["id"], "plan": {"type": "plan", "enum": "plan"}}}
    await push(conn, {**declared, "tables": {"teams": teams}, "ignore": ["users"]})
    assert await conn.fetchval("INSERT INTO users VALUES (8) RETURNING plan") == "free"
    assert await conn.fetchval("SELECT plans FROM users WHERE id = 1") == ["pro"]


async def test_a_label_that_is_added_in_place(conn: Connection) -> None:
    changes = await push(conn, schema(COLUMNS, ("free", "basic", "pro", "old"), indexes=[FREE]))
    assert [change.summary for change in changes] == ['enumeration "plan": add basic']


async def test_a_type_whose_values_do_not_fit(conn: Connection) -> None:
    narrow = schema({**COLUMNS, "mail": {"type": "integer", "nullable": True}}, indexes=[FREE])
    [change, *_] = await compare(conn, read_documents([("test", narrow)]))
    assert change.lost is not None
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await push(conn, narrow)
    await conn.execute("UPDATE users SET mail = '5'")
    await push(conn, narrow)
    assert await conn.fetchval("SELECT sum(mail) FROM users") == 10


async def test_nothing_remains_of_a_comparison(conn: Connection) -> None:
    before = await conn.fetchval("SELECT count(*) FROM pg_class")
    await compare(conn, read_documents([("test", schema({"id": {"type": "int"}}))]))
    assert await conn.fetchval("SELECT count(*) FROM pg_class") == before


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": {"type": "nope"}}, 'Table "users": type "nope" does not exist'),
        ({"a": {"type": "int", "check": "b > 0"}}, 'column "b" does not exist'),
        ({"a": {"type": "int", "default": {"value": "x"}}}, "invalid input syntax"),
        ({"a": {"type": "int", "default": {"sql": "1; DROP TABLE users"}}}, "syntax error"),
    ],
)
async def test_sql_that_is_not_valid(conn: Connection, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        await compare(conn, read_documents([("test", schema(columns))]))
    assert await conn.fetchval("SELECT count(*) FROM users") == 2


async def test_a_hint_of_postgres_is_given_once(conn: Connection) -> None:
    with pytest.raises(ConfigError) as caught:
        await compare(conn, read_documents([("test", schema({"a": {"type": "int", "check": "nope(a)"}}))]))
    assert caught.value.message.count("No function matches") == 1


async def test_a_role_that_may_not_make_schemas(conn: Connection) -> None:
    await conn.execute(
        "REVOKE CREATE ON DATABASE " + await conn.fetchval("SELECT quote_ident(current_database())") + " FROM flux"
    )
    with pytest.raises(ConfigError, match="GRANT CREATE ON DATABASE"):
        await compare(conn, read_documents([("test", schema(COLUMNS))]))
