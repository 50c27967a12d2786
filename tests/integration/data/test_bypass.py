"""What a caller may not see makes no difference to any answer: not to rows, not to counts, not to an error's text.

The reference test already compares each answer with what policies allow. Here there are two databases that differ in
hidden rows and hidden columns only, and queries that are made to fail; everything that is told must be the same.
"""

from __future__ import annotations

import itertools
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.data import engine as engines
from flux.data.policy.model import Caller, Grant, Operation, Policies, TablePolicy
from flux.data.query.model import Auth, Compare, Condition, Some, Target
from flux.data.schema.introspect import read_schema
from flux.store.pool import Connection
from tests.fixtures.data import twins
from tests.fixtures.data.engine import Answer, Engine
from tests.fixtures.data.hunting import hunt
from tests.fixtures.data.lines import Binary, prepare

QUERIES = 30
SEEDS = st.integers(0, 2**63)

_numbers = itertools.count()


@hunt(usual=40)
@given(seed=SEEDS)
async def test_what_is_hidden_makes_no_difference(connection: Connection, seed: int) -> None:
    await prepare(connection)
    await twins.run(connection, Random(seed), f"b{next(_numbers)}", queries=QUERIES)


TABLES = """
CREATE TABLE codes (
    id integer PRIMARY KEY, tenant text DEFAULT 'other', code text, secret text DEFAULT 's',
    parent_id integer REFERENCES codes,
    UNIQUE (tenant, code)
);
INSERT INTO codes (id, tenant, code) VALUES (1, 'mine', 'a'), (2, 'other', 'b'), (3, 'mine', 'c');
"""
OWN = Compare(Target("tenant"), "eq", Auth(("tenant",)))
READABLE = frozenset(("id", "tenant", "code", "parent_id", "share"))


def owned(own: Condition, table: str = "codes", readable: frozenset[str] | None = READABLE) -> Policies:
    grants: dict[tuple[str, Operation], Grant] = {
        ("*", "select"): Grant(readable=readable, where=own),
        ("*", "insert"): Grant(readable=readable, check=own),
        ("*", "update"): Grant(readable=readable, where=own, check=own),
        ("*", "delete"): Grant(readable=readable, where=own),
    }
    return Policies(tables={table: TablePolicy(table=table, grants=grants)}, version="1")


POLICIES = owned(OWN)
# The same rows, but Postgres would rather look at a caller's condition first.
COSTLY = owned(Some((OWN, *[Compare(Target("code"), how, Auth(("tenant",))) for how in ("like", "ilike", "eq")])))
CALLER = Caller(tenant="mine")


async def ask(connection: Connection, document: dict[str, Any]) -> Answer:
    await prepare(connection)
    await connection.execute(TABLES)
    await connection.execute("BEGIN")
    engine = Engine(Binary(connection), await read_schema(connection), POLICIES)
    return await engine.ask({"table": "codes", **document}, CALLER)


TAKEN, FREE = {"tenant": "other", "code": "b"}, {"tenant": "other", "code": "free"}


def writes(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All ways to make a row that the check forbids."""
    mine = {"id": 8, "tenant": "mine", "code": "mine"}
    default = {"id": 9, "code": row["code"]}  # whose default is of another tenant
    return {
        "one": {"operation": "insert", "data": {"id": 9, **row}},
        "one with a default": {"operation": "insert", "data": default},
        "some": {"operation": "insert", "data": [mine, {"id": 9, **row}]},
        "some with a default": {"operation": "insert", "data": [{"id": 7, "code": "x"}, default]},
        "some that differ": {"operation": "insert", "data": [{**mine, "parent_id": 1}, default]},
        "upsert": {"operation": "upsert", "data": {"id": 9, **row}, "on_conflict": ["id"]},
        "upsert of one that is there": {"operation": "upsert", "data": {"id": 1, **row}, "on_conflict": ["id"]},
        "update": {"operation": "update", "data": row, "where": {"id": 1}},
        "update of all": {"operation": "update", "data": row, "all": True},
        "update of one column": {"operation": "update", "data": {"tenant": "other"}, "where": {"code": "c"}},
    }


@pytest.mark.parametrize("way", writes(TAKEN))
@pytest.mark.parametrize("row", [TAKEN, FREE], ids=["taken", "free"])
async def test_a_key_that_is_taken_is_not_told_to_whoever_may_not_write_it(
    connection: Connection, way: str, row: dict[str, Any]
) -> None:
    answer = await ask(connection, writes(row)[way])
    assert (answer.code, answer.details) == ("FORBIDDEN_ROW", {})


@pytest.mark.parametrize("number", [2, 9], ids=["hidden", "absent"])
async def test_a_row_that_is_there_is_not_told_to_whoever_may_not_write_it(connection: Connection, number: int) -> None:
    """Where an upsert leaves rows alone that are there, a hidden one is as if it were not."""
    leave = {"operation": "upsert", "on_conflict": {"columns": ["id"], "update": "nothing"}}
    answer = await ask(connection, {**leave, "data": {"id": number, "tenant": "other", "code": "x"}})
    assert (answer.code, answer.details) == ("FORBIDDEN_ROW", {})
    answer = await ask_again(connection, {**leave, "data": {"id": 1, "tenant": "other", "code": "x"}})
    assert answer.code == ""  # of his own, nothing is written


HIDDEN: dict[str, dict[str, Any]] = {
    "columns": {"columns": ["id", "secret"]},
    "alias": {"select": {"id": "secret"}},
    "where": {"where": {"secret": "s"}},
    "where not": {"where": {"not": {"or": [{"id": 1}, {"secret": {"is_null": True}}]}}},
    "order": {"order_by": {"secret": "desc"}},
    "after": {"order_by": "secret", "after": {"secret": "s", "id": 1}},
    "distinct": {"columns": ["id"], "distinct": ["secret"]},
    "nested column": {"select": {"parent": {"columns": ["secret"]}}},
    "nested where": {"select": {"codes": {"columns": ["id"], "where": {"secret": "s"}}}},
    "nested order": {"select": {"codes": {"columns": ["id"], "order_by": "secret"}}},
    "related": {"where": {"codes": {"some": {"secret": "s"}}}},
    "count": {"operation": "count", "where": {"secret": {"like": "s%"}}},
    "measure": {"operation": "aggregate", "aggregates": {"m": {"max": "secret"}}},
    "counted": {"operation": "aggregate", "aggregates": {"m": {"count": "secret", "distinct": True}}},
    "group": {"operation": "aggregate", "aggregates": {"m": "count"}, "group_by": [{"id": "secret"}]},
    "returning": {"operation": "insert", "data": {"id": 9, "tenant": "mine"}, "returning": {"id": "secret"}},
    "update where": {"operation": "update", "data": {"code": "x"}, "where": {"secret": "s"}},
    "update returning": {"operation": "update", "data": {"code": "x"}, "all": True, "returning": ["secret"]},
    "delete where": {"operation": "delete", "where": {"secret": "s"}},
    "delete returning": {"operation": "delete", "all": True, "returning": ["secret"]},
    "conflict": {"operation": "upsert", "data": {"id": 9, "secret": "s"}, "on_conflict": ["secret"]},
}


@pytest.mark.parametrize("place", HIDDEN)
async def test_a_hidden_column_is_refused_wherever_it_stands(connection: Connection, place: str) -> None:
    answer = await ask(connection, HIDDEN[place])
    assert (answer.code, answer.details["column"]) == ("FORBIDDEN_COLUMN", "secret")


async def test_what_is_left_out_shows_no_hidden_column(connection: Connection) -> None:
    answer = await ask(connection, {"select": {"id": True, "codes": {}}, "order_by": "id"})
    assert answer.value == [{"id": 1, "codes": []}, {"id": 3, "codes": []}]
    answer = await ask_again(connection, {"operation": "update", "data": {"parent_id": 1}, "where": {"id": 3}})
    assert answer.value == [{"id": 3, "tenant": "mine", "code": "c", "parent_id": 1}]


# Takes longer than anybody waits for on the text of the hidden row, and no time on the others.
ENDLESS = r"^(.+)(.+)(.+)(.+)\1\2\3\4c?$"
HIDE_ENDLESS = "UPDATE codes SET code = repeat('a', 400) || 'b' WHERE tenant = 'other'"
SEARCHING: dict[str, dict[str, Any]] = {
    "select": {"where": {"code": {"match": ENDLESS}}},
    "any case": {"where": {"code": {"imatch": ENDLESS}}},
    "any": {"where": {"code": {"match": {"any": ["^x", ENDLESS]}}}},
    "or": {"where": {"or": [{"code": "x"}, {"not": {"code": {"match": ENDLESS}}}]}},
    "count": {"operation": "count", "where": {"code": {"match": ENDLESS}}},
    "nested": {"select": {"codes": {"columns": ["id"], "where": {"code": {"match": ENDLESS}}}}},
    "related": {"where": {"codes": {"some": {"code": {"match": ENDLESS}}}}},
    "update": {"operation": "update", "data": {"parent_id": 1}, "where": {"code": {"match": ENDLESS}}},
    "delete": {"operation": "delete", "where": {"code": {"match": ENDLESS}}},
    "measure": {
        "operation": "aggregate",
        "aggregates": {"m": "count"},
        "where": {"code": {"match": ENDLESS}},
    },
}


@pytest.mark.parametrize("way", SEARCHING)
async def test_no_regular_expression_is_tried_on_a_hidden_row(connection: Connection, way: str) -> None:
    await ask(connection, {"columns": ["id"]})
    await connection.execute(HIDE_ENDLESS)
    # Rows 1 and 3 are those that hidden ones belong to, so that related ones are looked at.
    await connection.execute("UPDATE codes SET parent_id = 1 WHERE tenant = 'other'")
    await connection.execute("SET LOCAL statement_timeout = '5s'")
    assert (await ask_again(connection, SEARCHING[way], COSTLY)).code == ""


async def test_the_regular_expression_above_would_be_noticed(connection: Connection) -> None:
    await ask(connection, {"columns": ["id"]})
    await connection.execute(HIDE_ENDLESS)
    await connection.execute("SET LOCAL statement_timeout = '1s'")
    engine = Engine(Binary(connection), await read_schema(connection), Policies(tables={}, version="0"))
    assert (await engine.ask({"table": "codes", **SEARCHING["select"]}, CALLER)).code == "QUERY_TIMEOUT"


async def ask_again(connection: Connection, document: dict[str, Any], policies: Policies = POLICIES) -> Answer:
    engine = Engine(Binary(connection), await read_schema(connection), policies)
    return await engine.ask({"table": "codes", **document}, CALLER)


FAILING = """
CREATE FUNCTION share(codes) RETURNS integer LANGUAGE plpgsql STABLE COST 0.1
AS $$ BEGIN RETURN 100 / ($1.id - 2); END $$;
"""


@pytest.mark.parametrize("policies", [POLICIES, COSTLY], ids=["cheap", "dear"])
async def test_pages_by_a_computed_column_do_not_fail_for_a_hidden_row(
    connection: Connection, policies: Policies
) -> None:
    await ask(connection, {"columns": ["id"]})
    await connection.execute(FAILING)
    page = {"columns": ["id"], "order_by": "share", "after": {"share": -200, "id": 0}}
    assert (await ask_again(connection, page, policies)).value == [{"id": 1}, {"id": 3}]


@pytest.mark.parametrize("condition", ["where", "or", "count", "keyset", "related", "update", "delete"])
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_postgres_evaluates_a_cheap_policy_first(connection: Connection, condition: str, mode: str) -> None:
    """What the compiler relies on where it lets a caller's condition on large values stand beside the policy."""
    await ask(connection, {"columns": ["id"]})
    await connection.execute(
        "CREATE TABLE notes "
        "(id integer PRIMARY KEY, tenant text, body text, tags text[], note_id integer REFERENCES notes)"
    )
    engine = engines.Engine(await read_schema(connection), owned(OWN, "notes", None))
    heavy = {"body": {"like": "%x%", "neq": "z"}, "tags": {"contains": ["y"]}, "note_id": {"gt": 1}}
    documents: dict[str, dict[str, Any]] = {
        "where": {"where": heavy},
        "or": {"where": {"or": [{"body": "x"}, heavy]}},
        "count": {"operation": "count", "where": heavy},
        "keyset": {"order_by": "body", "after": {"body": "x", "id": 1}},
        "related": {"where": {"notes": {"some": heavy}}},
        "update": {"operation": "update", "data": {"body": "x"}, "where": heavy},
        "delete": {"operation": "delete", "where": heavy},
    }
    plan, values = engine.plan({"table": "notes", **documents[condition]}, CALLER.role)
    await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
    parameters = plan.parameters(values, CALLER, None)
    lines = [row[0].strip() for row in await connection.fetch(f"EXPLAIN {plan.text}", *parameters)]
    filters = [line for line in lines if line.startswith("Filter:") and ("body" in line or "tags" in line)]
    assert filters
    for line in filters:
        assert re.match(r"Filter: \((CASE WHEN )?\(\w*\.?tenant = ", line.replace("t1.", "")), line
