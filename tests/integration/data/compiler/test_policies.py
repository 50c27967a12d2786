"""What policies hide is neither answered nor told by anything else."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from flux.data.policy.model import Caller
from flux.failure import HostError
from tests.integration.data.compiler.conftest import Database

TABLES = """
    CREATE TABLE users (
        id bigint PRIMARY KEY, org text NOT NULL, email text, salary integer, settings json, period int4range
    );
    CREATE TABLE posts (
        id bigint PRIMARY KEY, author_id bigint REFERENCES users, title text, state text NOT NULL DEFAULT 'draft'
    );
    INSERT INTO users VALUES
        (1, 'acme', 'a@x', 10, '{"a": 1}', '[1,5)'), (2, 'acme', 'b@x', 20, '{"a": 2}', '[5,9)'),
        (3, 'other', 'c@x', 30, '{"a": "\\u0000"}', '[9,12)');
    INSERT INTO posts VALUES (1, 1, 'one', 'public'), (2, 2, 'two', 'draft'), (3, 3, 'three', 'public');
"""


@pytest.fixture
async def protected(database: Database) -> Database:
    await database.define(TABLES)
    database.protect("users", select={"where": "org = $auth.tenant", "readable": ["id", "org", "email", "settings"]})
    return database


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


async def test_rows(protected: Database) -> None:
    assert ids(await protected.ask({"table": "users", "order_by": "id"})) == [1, 2]
    assert list(await protected.ask({"table": "users", "one": True})) == ["id", "org", "email", "settings"]
    assert await protected.ask({"table": "users", "operation": "count"}) == 2
    assert await protected.ask({"table": "users", "operation": "count", "where": {"or": [{"id": 3}, {"id": 1}]}}) == 1
    assert await protected.ask({"table": "users", "operation": "count", "where": {"not": {"id": 1}}}) == 1
    found = await protected.ask({"table": "users", "operation": "aggregate", "aggregates": {"last": {"max": "id"}}})
    assert found == [{"last": 2}]
    nobody = Caller(role="member")
    assert await protected.ask({"table": "users"}, caller=nobody) == []


@pytest.mark.parametrize(
    "query",
    [
        {"columns": ["salary"]},
        {"select": {"x": "salary"}},
        {"where": {"salary": 1}},
        {"where": {"not": {"or": [{"id": 1}, {"salary": None}]}}},
        {"order_by": "salary"},
        {"distinct": ["salary"]},
        {"after": {"salary": 1, "id": 1}, "order_by": "salary"},
        {"operation": "count", "where": {"salary": {"gt": 1}}},
        {"operation": "aggregate", "aggregates": {"s": {"sum": "salary"}}},
        {"operation": "aggregate", "aggregates": {"n": "count"}, "group_by": ["salary"]},
    ],
)
async def test_columns(protected: Database, query: dict[str, Any]) -> None:
    error = await protected.refusal({"table": "users", **query})
    assert (error.code, error.status, error.details) == (
        "FORBIDDEN_COLUMN",
        403,
        {"table": "users", "column": "salary"},
    )


async def test_related_rows(protected: Database) -> None:
    posts = await protected.ask(
        {"table": "posts", "select": {"id": True, "author": {"columns": ["id"]}}, "order_by": "id"}
    )
    assert [post["author"] for post in posts] == [{"id": 1}, {"id": 2}, None]
    assert ids(await protected.ask({"table": "posts", "where": {"author": {"some": {}}}, "order_by": "id"})) == [1, 2]
    assert ids(await protected.ask({"table": "posts", "where": {"author": {"none": {}}}})) == [3]
    error = await protected.refusal({"table": "posts", "where": {"author": {"some": {"salary": 1}}}})
    assert error.code == "FORBIDDEN_COLUMN"
    error = await protected.refusal({"table": "posts", "select": {"author": {"columns": ["salary"]}}})
    assert error.code == "FORBIDDEN_COLUMN"
    protected.protect("users", insert={})
    assert (await protected.refusal({"table": "posts", "select": {"author": {}}})).code == "FORBIDDEN_TABLE"
    assert (await protected.refusal({"table": "posts", "where": {"author": {"none": {}}}})).code == "FORBIDDEN_TABLE"


async def test_relations_need_their_columns(protected: Database) -> None:
    protected.protect("posts", select={"readable": ["id", "title"]})
    error = await protected.refusal({"table": "posts", "select": {"id": True, "author": {"columns": ["id"]}}})
    assert (error.code, error.details["column"]) == ("FORBIDDEN_COLUMN", "author_id")
    error = await protected.refusal({"table": "users", "where": {"posts": {"some": {}}}})
    assert (error.code, error.details["column"]) == ("FORBIDDEN_COLUMN", "author_id")


async def test_policies_look_at_related_rows(protected: Database) -> None:
    protected.protect("posts", select={"where": "state = 'public' and exists(author where salary > 5)"})
    assert ids(await protected.ask({"table": "posts"})) == [1]
    protected.protect("users", insert={})
    assert await protected.ask({"table": "posts"}) == []
    protected.protect("users", select={"where": "exists(posts)"})
    protected.protect("posts", select={"where": "exists(author)"})
    assert (await protected.refusal({"table": "posts"})).code == "POLICY_INVALID"


async def test_facts(protected: Database) -> None:
    protected.protect("posts", select={"where": "state in $auth.claims.states or author_id = $auth.uid"})
    for caller, expected in [
        (Caller(role="member", uid="2"), [2]),
        (Caller(role="member", uid="x"), []),
        (Caller(role="member", claims={"states": ["public"]}), [1, 3]),
        (Caller(role="member", claims={"states": "public"}), []),
        (Caller(role="member", uid="2", claims={"states": ["public", 7]}), [2]),
    ]:
        assert ids(await protected.ask({"table": "posts", "order_by": "id"}, caller=caller)) == expected, caller


@pytest.mark.parametrize(
    "where",
    [
        {"email": {"match": "("}},
        {"email": {"match": {"any": ["c", "("]}}},
        {"period": {"overlaps": "nonsense"}},
        {"period": {"in": ["[1,2)", "nonsense"]}},
        {"settings": {"eq": {"a": 1}}},
        {"settings->>a": "x"},
        {"settings->a": 5},
    ],
)
@pytest.mark.parametrize("generic", [False, True])
async def test_errors_do_not_tell(protected: Database, where: dict[str, Any], generic: bool) -> None:
    """The same for a row that is hidden (3) and one that is not there (4), for plans with and without values."""

    async def outcome(row: int) -> str:
        try:
            return str(await protected.ask({"table": "users", "where": {"id": row, **where}}))
        except asyncpg.PostgresError as error:
            return repr(error)

    protected.protect("users", select={"where": "org = $auth.tenant"})
    await protected.connection.execute(f"SET plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
    fails = any(word in repr(where) for word in ("'('", "nonsense"))
    hidden, missing = await outcome(3), await outcome(4)
    assert hidden == missing
    assert (hidden != "[]") == fails


async def test_unknown_before_forbidden(protected: Database) -> None:
    assert (await protected.refusal({"table": "users", "columns": ["sallary"]})).code == "UNKNOWN_COLUMN"
    assert (await protected.refusal({"table": "usres"})).code == "UNKNOWN_TABLE"
    assert (await protected.refusal({"table": "users"}, caller=Caller(role="guest"))).code == "FORBIDDEN_TABLE"


async def test_hidden_keys_do_not_decide_the_order(protected: Database) -> None:
    protected.protect("users", select={"readable": ["email"]})
    plan, _ = protected.plan({"table": "users", "offset": 1})
    assert "ORDER BY" not in plan.text
    with pytest.raises(HostError) as caught:
        protected.plan({"table": "users", "order_by": "email", "after": {"email": "a", "id": 1}})
    assert caught.value.code == "FORBIDDEN_COLUMN"
