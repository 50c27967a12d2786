"""No string of a caller's reaches a statement as text, wherever it stands, and the database is unharmed.

Each text of the corpus (`fixtures/data/injections.json`) is put at each place of queries that together use all of the
format: keys, names, aliases, values. The statement is then taken apart: it may hold names of the schema, words of SQL
and of the compiler, constants of the compiler's own, and parameters; nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flux.data.policy.model import Caller, Grant, Policies, TablePolicy
from flux.data.query.model import Auth, Compare, Literal, Target
from flux.data.schema.introspect import read_schema
from flux.store.pool import Connection
from tests.fixtures.data.engine import CODES, Engine
from tests.fixtures.data.hunting import VARIABLE
from tests.fixtures.data.lines import Binary, prepare
from tests.fixtures.data.tokens import check, tokens

CORPUS = Path(__file__).parents[2] / "fixtures" / "data" / "injections.json"
PAYLOADS = [payload for group in json.loads(CORPUS.read_text()).values() for payload in group]
# Stands in nearly every payload and in no name of the schema, so that it can be looked for.
MARK = "zqx"
PER_PLACE = 6  # of the corpus at each place; all of it when hunting

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE victims (
    id integer PRIMARY KEY, name text UNIQUE, secret text DEFAULT 'hidden', profile jsonb, tags text[], span int4range,
    mood mood, words tsvector, at timestamptz, amount numeric, owner_id integer REFERENCES victims
);
INSERT INTO victims (id, name, profile, tags, span, mood, words, at, amount, owner_id)
SELECT n, 'name ' || n, '{"zone": {"a": [1]}}', '{x,y}', '[1,5)', 'sad', 'cat', now(), n, nullif(n - 1, 0)
FROM generate_series(1, 5) AS n;
"""

QUERIES: tuple[dict[str, Any], ...] = (
    {
        "table": "victims",
        "operation": "select",
        "select": {
            "id": True,
            "alias": "name",
            "place": "profile->zone->a->0",
            "text": "profile->>zone",
            "owner": {"select": {"who": "name"}, "where": {"name": {"like": "name%"}}},
            "others": {
                "relation": "victims",
                "columns": ["id", "name"],
                "order_by": [{"name": {"direction": "desc", "nulls": "last"}}, "profile->>zone"],
                "limit": 3,
            },
        },
        "where": {
            "or": [
                {"name": {"in": ["name 1", "name 2"]}, "profile->>zone": {"neq": "x"}},
                {"not": {"tags": {"contains": ["x"]}}},
                {"victims": {"some": {"name": {"match": "^name"}}}},
                {"span": {"overlaps": "[1,2)"}},
                {"words": {"plfts": {"query": "cat", "config": "english"}}},
                {"words": {"fts": "cat"}},
                {"name": {"ilike": {"any": ["N%"]}}},
                {"mood": "sad"},
                {"at": {"between": ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]}},
                {"profile": {"contains": {"zone": {}}}},
                {"column:name": {"is_distinct": "x"}},
            ]
        },
        "order_by": [{"name": "desc"}, {"profile->>zone": {"direction": "asc", "nulls": "first"}}],
        "limit": 2,
    },
    {"table": "victims", "columns": ["id", "name"], "order_by": ["name"], "after": {"name": "name 2", "id": 2}},
    {"table": "victims", "columns": ["name"], "distinct": ["name"], "order_by": "name", "offset": 1},
    {"table": "victims", "columns": ["mood"], "distinct": True},
    {"table": "victims", "operation": "count", "where": {"amount": {"gt": "1"}}},
    {
        "table": "victims",
        "operation": "aggregate",
        "aggregates": {"n": "count", "most": {"max": "name"}, "sum": {"sum": "amount", "distinct": True}},
        "group_by": ["mood", {"zone": "profile->>zone"}],
        "having": {"n": {"gt": 0}, "most": {"like": "n%"}},
        "order_by": [{"n": "desc"}, "zone"],
    },
    {"table": "victims", "operation": "insert", "data": {"id": 9, "name": "x"}, "returning": {"key": "id"}},
    {
        "table": "victims",
        "operation": "insert",
        "data": [{"id": 9, "name": "x", "tags": ["a"]}, {"id": 10, "mood": "sad", "profile": {"a": "b"}}],
        "returning": ["id", "name"],
    },
    {"table": "victims", "operation": "insert", "data": [{"id": 9, "name": "x"}, {"id": 10, "name": "y"}]},
    {
        "table": "victims",
        "operation": "upsert",
        "data": {"id": 1, "name": "x", "amount": "2"},
        "on_conflict": {"columns": ["id"], "update": ["name", "amount"]},
        "returning": ["name"],
    },
    {"table": "victims", "operation": "upsert", "data": [{"id": 1, "name": "x"}], "on_conflict": ["name"]},
    {
        "table": "victims",
        "operation": "update",
        "data": {"name": "x", "profile": {"zone": "y"}},
        "where": {"id": 1, "profile->zone->>a": {"is_null": False}},
        "returning": {"new": "name", "zone": "profile->>zone"},
    },
    {"table": "victims", "operation": "delete", "where": {"name": "name 5"}, "returning": ["id"]},
)

OPEN = Policies()
GUARDED = Policies(
    tables={
        "victims": TablePolicy(
            table="victims",
            grants={
                ("member", operation): Grant(
                    readable=frozenset(
                        ("id", "name", "profile", "tags", "span", "mood", "words", "at", "amount", "owner_id")
                    ),
                    where=Compare(Target("id"), "lt", Literal(100)),
                    check=Compare(Target("name"), "neq", Auth(("uid",))) if operation in ("insert", "update") else None,
                )
                for operation in ("select", "insert", "update", "delete")
            },
        )
    },
    version="1",
)
CALLER = Caller(role="member", uid="u1")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """(path, whether it is the key itself) of every string."""
    if isinstance(value, str):
        yield path, False
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        if isinstance(key, str):
            yield (*path, key), True
        yield from places(entry, (*path, key))


def put(value: Any, path: tuple[Any, ...], payload: str, *, key: bool) -> Any:
    if not path:
        return payload
    name, *rest = path
    if isinstance(value, list):
        return [
            put(entry, tuple(rest), payload, key=key) if index == name else entry for index, entry in enumerate(value)
        ]
    if key and not rest:
        return {payload if each == name else each: entry for each, entry in value.items()}
    return {each: put(entry, tuple(rest), payload, key=key) if each == name else entry for each, entry in value.items()}


@pytest.mark.parametrize("policies", [OPEN, GUARDED], ids=["open", "guarded"])
async def test_nothing_of_a_caller_is_in_a_statement(connection: Connection, policies: Policies) -> None:
    await prepare(connection)
    await connection.execute(TABLES)
    schema = await read_schema(connection)
    engine = Engine(Binary(connection), schema, policies)
    before = await fingerprint(connection)
    await connection.execute("BEGIN")
    own = {token for document in QUERIES for token in words(engine, document)}
    random = Random(4)
    count = len(PAYLOADS) if VARIABLE in os.environ else PER_PLACE
    for document in QUERIES:
        for path, key in places(document):
            for payload in random.sample(PAYLOADS, count):
                await attack(engine, put(document, path, payload, key=key), payload, own)
    assert await fingerprint(connection) == before
    await connection.execute("ROLLBACK")


def words(engine: Engine, document: Any) -> Iterator[str]:
    """Words and constants of the compiler, from queries as they are meant."""
    plan, _ = engine.planner.plan(document, CALLER.role)
    return (token for kind, token in tokens(plan.text) if kind in ("word", "text"))


async def attack(engine: Engine, document: Any, payload: str, own: set[str]) -> None:
    answer = await engine.ask(document, CALLER, undo=True)
    assert not answer.code or answer.code in CODES, (answer.code, answer.message, document)
    if answer.plan is not None:
        assert MARK not in answer.plan.text.lower(), (payload, answer.plan.text)
        table = engine.planner.schema.tables["victims"]
        names = {"public", "victims", "flux:visible", "flux:checked", *table.columns, *table.relations}
        check(answer.plan.text, names=names, own=own)


async def fingerprint(connection: Connection) -> Any:
    rows = await connection.fetch("SELECT whole::text FROM victims AS whole ORDER BY id")
    things = await connection.fetch("SELECT relname FROM pg_class ORDER BY relname")
    return [row[0] for row in rows], [row[0] for row in things]
