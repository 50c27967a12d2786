from __future__ import annotations

from typing import Any

import pytest

from flux.data.engine import Engine
from flux.data.policy.model import Grant, Policies
from flux.data.query import parse
from flux.data.query.model import Related
from flux.data.routes.check import check_routes
from flux.data.routes.engine import RouteEngine, RouteEngines, narrowed, reached
from flux.errors import ConfigError
from flux.failure import HostError
from flux.manifest import DataRoute
from tests.unit.data.compiler.tables import ROLE, SCHEMA, protected

USERS = DataRoute(table="users", path="/users")
OPEN = DataRoute(table="users", path="/users", policies=False)
SHORT = DataRoute(table="users", path="/users", columns=("id", "email"))
POLICIES = protected(users={"select": Grant(), "update": Grant(writable=frozenset(("org", "email")))})


def refusal(route: DataRoute, policies: Policies, document: dict[str, Any]) -> str:
    with pytest.raises(HostError) as caught:
        RouteEngine(Engine(SCHEMA, policies), route).plan({"table": "users", **document}, ROLE)
    return caught.value.code


def test_no_table_without_a_policy_is_reached() -> None:
    queries: tuple[dict[str, Any], ...] = (
        {"select": {"posts": {}}},
        {"where": {"posts": {"some": {"title": "x"}}}},
        {"operation": "count", "where": {"not": {"or": [{"posts": {"none": {}}}]}}},
        {"operation": "aggregate", "aggregates": {"n": "count"}, "where": {"posts": {"every": {"id": 1}}}},
        {"operation": "update", "where": {"posts": {"some": {}}}, "data": {"org": "x"}},
    )
    for query in queries:
        assert refusal(USERS, POLICIES, query) == "FORBIDDEN_TABLE", query
        RouteEngine(Engine(SCHEMA, POLICIES), OPEN).plan({"table": "users", **query}, ROLE)
    assert refusal(USERS, Policies(), {}) == "FORBIDDEN_TABLE"
    assert refusal(SHORT, Policies(), {}) == "FORBIDDEN_TABLE"


def test_a_table_closed_for_what_it_shows_is_not_opened_by_its_route() -> None:
    closed = Policies(closed=frozenset({"users"}))
    for columns in (None, SHORT.columns):
        route = DataRoute(table="users", path="/users", columns=columns, policies=False)
        assert refusal(route, closed, {}) == "FORBIDDEN_TABLE"


def test_a_policy_may_ask_for_tables_without_one() -> None:
    """Denying those would turn a rule like "has no posts" into one that always holds."""
    none = Related("posts", "none", parse({"table": "posts", "where": {}})[0].where)  # type: ignore[union-attr]  # a select's
    policies = protected(users={"select": Grant(where=none)})
    engine = RouteEngine(Engine(SCHEMA, policies), USERS)
    assert "NOT EXISTS" in engine.plan({"table": "users"}, ROLE)[0].text


def test_only_the_routes_columns_can_be_named() -> None:
    for query in (
        {"columns": ["org"]},
        {"where": {"org": "x"}},
        {"order_by": "org"},
        {"where": {"settings->>a": "x"}},
        {"distinct": ["org"]},
        {"select": {"name": "full_name"}},
        {"operation": "aggregate", "aggregates": {"n": {"max": "age"}}},
        {"operation": "update", "where": {"id": 1}, "data": {"org": "x"}},
        {"operation": "update", "where": {"id": 1}, "data": {"email": "x"}, "returning": ["org"]},
    ):
        assert refusal(SHORT, POLICIES, query) == "FORBIDDEN_COLUMN", query
    plan = RouteEngine(Engine(SCHEMA, POLICIES), SHORT).plan({"table": "users"}, ROLE)[0]
    assert '"email"' in plan.text
    assert '"org"' not in plan.text
    RouteEngine(Engine(SCHEMA, POLICIES), SHORT).plan(
        {"table": "users", "operation": "update", "where": {"id": 1}, "data": {"email": "x"}}, ROLE
    )
    both = protected(users={"select": Grant()}, posts={"select": Grant()})
    back = {"table": "posts", "select": {"author": {"columns": ["org"]}}}
    with pytest.raises(HostError, match='"org"'):
        RouteEngine(Engine(SCHEMA, both), SHORT).plan(back, ROLE)


def test_columns_hold_where_there_is_no_policy() -> None:
    route = DataRoute(table="users", path="/users", columns=("id",), policies=False)
    assert refusal(route, Policies(), {"where": {"email": "x"}}) == "FORBIDDEN_COLUMN"
    assert narrowed(Policies(), SCHEMA, OPEN) == Policies()


def test_reached() -> None:
    query = {"table": "posts", "select": {"author": {"select": {"posts": {"where": {"author": {"some": {"id": 1}}}}}}}}
    assert reached(parse(query)[0], SCHEMA) == {"posts", "users"}
    assert reached(parse({"table": "users", "operation": "insert", "data": {"email": "x"}})[0], SCHEMA) == {"users"}


def test_an_engine_lasts_as_long_as_what_it_is_made_of() -> None:
    engines, base = RouteEngines(), Engine(SCHEMA, POLICIES)
    first = engines.of(base, USERS)
    assert engines.of(base, USERS) is first
    assert engines.of(base, SHORT) is not first
    assert engines.of(Engine(SCHEMA, POLICIES), USERS) is not first
    assert (
        first.plan({"table": "users", "where": {"id": 1}}, ROLE)[0]
        is first.plan({"table": "users", "where": {"id": 2}}, ROLE)[0]
    )


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (DataRoute(table="user", path="/user"), 'there is no table "user" for /user. Did you mean "users"'),
        (DataRoute(table="posts", path="/posts"), 'table "posts" (/posts) has no policy'),
        (DataRoute(table="users", path="/u", columns=("id", "emial")), 'no column "emial" (/u). Did you mean "email"'),
        (DataRoute(table="users", path="/u", columns=("email",)), "lack the primary key, by which rows are named: id"),
    ],
)
def test_what_does_not_fit_the_database_is_said_at_the_start(route: DataRoute, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_routes([SHORT, route], SCHEMA, POLICIES)
    assert message in caught.value.message


def test_what_fits() -> None:
    check_routes([USERS, SHORT, DataRoute(table="posts", path="/posts", policies=False)], SCHEMA, POLICIES)
