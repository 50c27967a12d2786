"""Which index a plan lacks. Plans are written here as Postgres writes them; the real ones are in tests/integration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flux.data.explain.access import accesses
from flux.data.explain.missing import Missing, missing
from flux.data.explain.nodes import read_plan
from flux.data.policy.model import NO_POLICIES, Grant, Policies
from flux.data.policy.rules import parse_rule
from flux.data.query import parse
from flux.data.schema.model import Index, Schema
from tests.unit.data.compiler.tables import POSTS, ROLE, USERS, column, protected

ROWS = 100_000
BIG = Schema(tables={"users": replace(USERS, rows=ROWS), "posts": replace(POSTS, rows=ROWS)})


def scan(table: str = "users", rows: int = 10, condition: str | None = "(x = 1)") -> dict[str, Any]:
    node = {
        "Node Type": "Seq Scan",
        "Relation Name": table,
        "Schema": "public",
        "Plan Rows": rows,
        "Total Cost": 2500.0,
    }
    return node | ({"Filter": condition} if condition else {})


def over(*kinds: str, node: dict[str, Any]) -> dict[str, Any]:
    for kind in reversed(kinds):
        node = {"Node Type": kind, "Plan Rows": 1, "Total Cost": 2600.0, "Plans": [node]}
    return node


def found(
    document: dict[str, Any], plan: dict[str, Any], *, schema: Schema = BIG, policies: Policies = NO_POLICIES
) -> list[Missing]:
    query, _ = parse({"table": "users", **document})
    return missing(read_plan([{"Plan": plan}]), accesses(query, schema, policies, ROLE))


def columns(document: dict[str, Any], plan: dict[str, Any], **more: Any) -> list[tuple[str, ...]]:
    return [each.columns for each in found(document, plan, **more)]


def test_equality_first_then_one_range() -> None:
    where = {"age": {"gt": 3}, "org": "a", "label": {"in": ["x"]}, "email": {"gte": "a"}}
    (index,) = found({"where": where}, scan())
    assert index.columns == ("org", "label", "age")
    assert index.ddl == 'CREATE INDEX CONCURRENTLY ON "public"."users" ("org", "label", "age")'
    assert index.why == "all of the 100000 rows of users are read to find those with org and label and age and email"


def test_what_policies_ask_for_counts() -> None:
    rule = parse_rule("org = $auth.tenant", BIG.table("users"), BIG)
    policies = protected(users={"select": Grant(where=rule)})
    assert columns({}, scan(), policies=policies) == [("org",)]
    update = {"operation": "update", "where": {"label": "x"}, "data": {"org": "y"}}
    policies = protected(users={"update": Grant(where=rule), "select": Grant()})
    assert columns(update, scan(), policies=policies) == [("org", "label")]


def test_each_side_of_an_or_and_each_related_table() -> None:
    either = {"where": {"or": [{"org": "a"}, {"label": "b", "age": 3}]}}
    assert columns(either, scan()) == [("org",), ("label", "age")]
    related = {"where": {"posts": {"some": {"state": "new"}}}}
    assert columns(related, scan("posts")) == [("author_id", "state")]
    assert columns({"select": {"posts": {"order_by": "title"}}}, scan("posts")) == [("author_id", "title")]


@pytest.mark.parametrize(
    ("document", "plan", "wanted"),
    [
        ({"order_by": "age"}, over("Limit", "Sort", node=scan(condition=None, rows=ROWS)), [("age",)]),
        ({"order_by": {"age": "desc"}}, over("Limit", "Sort", node=scan(condition=None, rows=ROWS)), [("age",)]),
        ({"order_by": "age", "where": {"org": "a"}}, over("Limit", "Sort", node=scan()), [("org", "age")]),
        # Conditions that leave most rows: the first of these are found soonest in their order.
        ({"order_by": "age", "where": {"label": {"gt": "a"}}}, over("Limit", "Sort", node=scan(rows=ROWS)), [("age",)]),
        ({"order_by": "age", "where": {"org": "a"}}, over("Limit", "Sort", node=scan(rows=ROWS)), [("age",)]),
        ({"order_by": "email", "where": {"org": "a"}}, over("Limit", "Sort", node=scan(rows=ROWS)), []),
        ({"order_by": "org", "where": {"org": "a"}}, over("Limit", "Sort", node=scan(rows=ROWS)), []),
        ({"order_by": "settings->a"}, over("Limit", "Sort", node=scan(condition=None, rows=ROWS)), []),
        ({}, scan(condition=None, rows=ROWS), []),
        ({"where": {"org": "a"}}, scan(rows=ROWS // 2), []),
        ({"where": {"email": "a"}}, scan(), []),  # has an index: Postgres had the choice
        ({"where": {"id": 1}}, scan(), []),
        ({"where": {"not": {"org": "a"}}}, scan(), []),
        ({"where": {"settings->>a": "x"}}, scan(), []),
        ({"where": {"org": {"neq": "a"}}}, scan(), []),
        ({"where": {"org": None}}, scan(), [("org",)]),
        ({"where": {"org": "a"}}, {**scan(), "Node Type": "Index Scan", "Index Name": "x"}, []),
        ({"where": {"org": "a"}}, over("Gather", node={**scan(), "Parallel Aware": True}), [("org",)]),
        ({"where": {"org": "a"}}, scan("elsewhere"), []),
        ({"operation": "count", "where": {"org": "a"}}, over("Aggregate", node=scan()), [("org",)]),
        ({"operation": "delete", "where": {"org": "a"}}, over("ModifyTable", node=scan()), [("org",)]),
    ],
)
def test_when(document: dict[str, Any], plan: dict[str, Any], wanted: list[tuple[str, ...]]) -> None:
    assert columns(document, plan) == wanted


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        ({"age": "desc"}, '("age")'),
        ({"age": {"direction": "desc", "nulls": "first"}}, '("age")'),
        ({"age": {"direction": "desc", "nulls": "last"}}, '("age" NULLS FIRST)'),
        ({"age": {"direction": "asc", "nulls": "first"}}, '("age" NULLS FIRST)'),
        ([{"age": {"direction": "desc", "nulls": "last"}}, "org"], '("age" DESC NULLS LAST, "org")'),
    ],
)
def test_an_order_has_its_nulls_at_one_end(order: Any, parts: str) -> None:
    (index,) = found({"order_by": order}, over("Limit", "Sort", node=scan(condition=None, rows=ROWS)))
    assert index.ddl.endswith(parts)


@pytest.mark.parametrize(("workers", "each", "wanted"), [(2, 16_700, []), (2, 8_000, [("org",)]), (4, 5_100, [])])
def test_rows_of_a_parallel_scan_are_those_of_one_process(
    workers: int, each: int, wanted: list[tuple[str, ...]]
) -> None:
    gather = over("Gather", node={**scan(rows=each), "Parallel Aware": True}) | {"Workers Planned": workers}
    assert columns({"where": {"org": "a"}}, gather) == wanted


def test_a_hash_serves_equality_alone() -> None:
    hashed = replace(BIG.table("users"), indexes=(Index(name="i", columns=("age",), unique=False, method="hash"),))
    schema = Schema(tables={"users": hashed})
    assert columns({"where": {"age": 3}}, scan(), schema=schema) == []
    assert columns({"where": {"age": {"gt": 3}}}, scan(), schema=schema) == [("age",)]


def test_small_tables_and_views_need_none() -> None:
    small = Schema(tables={"users": replace(USERS, rows=999)})
    view = Schema(tables={"users": replace(USERS, rows=ROWS, kind="foreign")})
    for schema in (small, view):
        assert columns({"where": {"org": "a"}}, scan(), schema=schema) == []


@pytest.mark.parametrize(
    ("where", "method"),
    [
        ({"tags": {"contains": ["a"]}}, 'USING gin ("tags")'),
        ({"settings": {"contains": {"a": 1}}}, 'USING gin ("settings")'),
        ({"period": {"overlaps": "[1,2)"}}, 'USING gist ("period")'),
        ({"org": {"ilike": "%a%"}}, 'USING gin ("org" gin_trgm_ops)'),
    ],
)
def test_other_kinds_of_index(where: dict[str, Any], method: str) -> None:
    (index,) = found({"where": where}, scan())
    assert index.ddl.endswith(method)
    (name,) = index.columns
    kind = "gist" if "gist" in method else "gin"
    indexed = replace(BIG.table("users"), indexes=(Index(name="i", columns=(name,), unique=False, method=kind),))
    assert found({"where": where}, scan(), schema=Schema(tables={"users": indexed})) == []


@pytest.mark.parametrize(
    ("kind", "sql", "document"),
    [
        ("json", "json", {"where": {"odd": {"contains": {"a": 1}}}}),
        ("json", "json", {"where": {"odd": {"eq": {"a": 1}}}}),
        ("json", "json", {"order_by": "odd"}),
        ("point", "point", {"where": {"odd": None}}),
        ("bpchar", "character(8)", {"where": {"odd": {"ilike": "%a%"}}}),
        ("citext", "citext", {"where": {"odd": {"like": "a%"}}}),
    ],
)
def test_no_index_that_postgres_refuses_or_never_uses(kind: str, sql: str, document: dict[str, Any]) -> None:
    odd = replace(BIG.table("users"), columns={"odd": column("odd", kind, sql)})
    plan = over("Limit", "Sort", node=scan())
    assert found({"select": {"odd": True}, **document}, plan, schema=Schema(tables={"users": odd})) == []


def test_a_plan_as_json() -> None:
    plan = read_plan(
        [{"Plan": over("Limit", node={**scan(), "Actual Total Time": 1.5, "Actual Loops": 3, "Actual Rows": 2})}]
    )
    assert plan.to_json() == {
        **{"node": "Limit", "rows": 1, "cost": 2600.0},
        "children": [
            {
                **{"node": "Seq Scan", "schema": "public", "table": "users", "rows": 10, "cost": 2500.0},
                **{"filter": "(x = 1)", "ms": 4.5, "actual": 2, "loops": 3, "children": []},
            }
        ],
    }
