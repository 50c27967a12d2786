"""From a document to a plan, once per shape and role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flux.data import engine as engine_module
from flux.data.engine import Engine
from flux.data.guard import Guard
from flux.data.policy.model import Grant, Policies, TablePolicy
from flux.failure import HostError
from tests.unit.data.compiler.tables import SCHEMA


def by_id(id: Any, **more: Any) -> dict[str, Any]:
    return {"table": "users", "where": {"id": id}, **more}


def test_a_shape_is_compiled_once() -> None:
    engine = Engine(SCHEMA)
    (first, values), (second, others) = engine.plan(by_id(1), "anon"), engine.plan(by_id("2"), "anon")
    assert first is second
    assert (values, others) == ([1], ["2"])
    assert engine.plan(by_id(None), "anon")[0] is not first


def test_a_role_has_its_own_plan() -> None:
    grants = {("member", "select"): Grant(readable=frozenset(("id",)))}
    policies = Policies(tables={"users": TablePolicy(table="users", grants=grants)})  # type: ignore[arg-type]
    engine = Engine(SCHEMA, policies)
    assert engine.plan(by_id(1), "member")[0].text.count('"email"') == 0
    with pytest.raises(HostError) as caught:
        engine.plan(by_id(1), "anon")
    assert (caught.value.code, caught.value.status) == ("FORBIDDEN_TABLE", 403)


def test_how_many_rows_is_asked_every_time() -> None:
    engine = Engine(SCHEMA, guard=Guard(rows=10))
    engine.plan({"table": "users", "limit": 10}, "anon")
    with pytest.raises(HostError) as caught:
        engine.plan({"table": "users", "limit": 11}, "anon")
    assert caught.value.code == "TOO_MANY_ROWS"


@pytest.mark.parametrize(
    ("query", "most"),
    [
        (lambda rows: {"select": {"posts": {"limit": rows}}}, 10),
        (lambda rows: {"select": {"posts": {"select": {"author": {"offset": rows}}}}}, 2**31),
        (lambda rows: {"operation": "aggregate", "aggregates": {"n": "count"}, "group_by": ["org"], "limit": rows}, 10),
    ],
)
def test_how_many_rows_is_asked_every_time_at_every_level(query: Callable[[int], dict[str, Any]], most: int) -> None:
    engine = Engine(SCHEMA, guard=Guard(rows=10))
    plan, _ = engine.plan({"table": "users", **query(1)}, "anon")
    assert engine.plan({"table": "users", **query(most)}, "anon")[0] is plan
    with pytest.raises(HostError):
        engine.plan({"table": "users", **query(most + 1)}, "anon")


def test_how_many_rows_are_inserted_is_asked_every_time() -> None:
    engine = Engine(SCHEMA, guard=Guard(rows=10))
    insert = {"table": "users", "operation": "insert"}
    plan, _ = engine.plan({**insert, "data": [{"email": "a"}] * 10}, "anon")
    assert engine.plan({**insert, "data": [{"email": "a"}] * 9}, "anon")[0] is plan
    with pytest.raises(HostError) as caught:
        engine.plan({**insert, "data": [{"email": "a"}] * 11}, "anon")
    assert caught.value.code == "TOO_MANY_ROWS"


def test_kept_plans_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_PLANS", 3)
    engine = Engine(SCHEMA)
    for number in range(10):
        engine.plan({"table": "users", "select": {f"a{number}": "id"}}, "anon")
    assert len(engine._plans) <= 3
