"""Limits and the score of complexity."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from flux.data.guard import MAX_OFFSET, ROWS_PER_POINT, Guard, check, check_size, gate, score
from flux.data.query import parse
from flux.data.query.complexity import CONDITION, DISTINCT, FIELD, ORDER, TABLE, WEIGHTS
from flux.data.schema.model import Relation, Schema, Table
from flux.failure import HostError

from .query.documents import documents


def refused(document: dict[str, Any], guard: Guard | None = None, schema: Schema | None = None) -> HostError:
    query, values = parse({"table": "users", **document})
    with pytest.raises(HostError) as caught:
        check(query, values, guard or Guard(), schema)
    assert caught.value.status == 400
    return caught.value


def points(document: dict[str, Any]) -> int:
    return score(*parse({"table": "users", **document}))


def nested(depth: int, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"columns": ["id"], **more}
    for _ in range(depth):
        found = {"select": {"posts": found}, **more}
    return found


@pytest.mark.parametrize("bad", [-1, 1.5, 1.0, "10", True, [], {}])
@pytest.mark.parametrize("key", ["limit", "offset"])
def test_what_is_no_number_of_rows(key: str, bad: Any) -> None:
    for place, document in (
        (key, {key: bad}),
        (f"select.posts.{key}", {"select": {"posts": {key: bad}}}),
        (f"select.a.select.b.{key}", {"select": {"a": {"select": {"b": {key: bad}}, "limit": 0}}, "limit": 0}),
        (key, {key: bad, "one": True}),
        (key, {key: bad, "operation": "aggregate", "aggregates": {"n": "count"}}),
    ):
        error = refused(document)
        assert error.code == "INVALID_ARGUMENT"
        assert error.details == {"place": place}
        assert f'"{place}"' in str(error)


def test_rows() -> None:
    check(*parse({"table": "users", "limit": 5000}))
    for document, place in (
        ({"limit": 5001}, "limit"),
        ({"select": {"posts": {"limit": 5001}}}, "select.posts.limit"),
        ({"operation": "insert", "data": [{"id": 1}] * 5001}, "data"),
        ({"operation": "insert", "data": [{}] * 5001}, "data"),
    ):
        error = refused(document)
        assert (error.code, error.details) == ("TOO_MANY_ROWS", {"place": place, "limit": 5000})
    assert refused({"offset": MAX_OFFSET + 1}).code == "INVALID_ARGUMENT"


def test_parameters() -> None:
    rows = [{f"c{column}": 1 for column in range(10)}] * 3300 + [{"c1": 1}]
    assert refused({"operation": "insert", "data": rows}).code == "TOO_MANY_PARAMETERS"


def test_depth() -> None:
    query, values = parse({"table": "users", **nested(6, limit=2)})
    check(query, values)
    error = refused(nested(7, limit=2))
    assert (error.code, error.details) == ("QUERY_TOO_DEEP", {"limit": 6, "found": 7})
    where: dict[str, Any] = {}
    for _ in range(6):
        where = {"posts": {"some": where}}
    check(*parse({"table": "users", "where": where}))
    assert refused({"where": {"posts": {"every": where}}}).code == "QUERY_TOO_DEEP"
    assert refused({"select": {"posts": {"where": where}}}).code == "QUERY_TOO_DEEP"
    assert refused({"operation": "delete", "where": {"posts": {"some": where}}}).code == "QUERY_TOO_DEEP"


def test_conditions() -> None:
    terms = [{"id": 1}] * 50
    check(*parse({"table": "users", "where": {"or": terms}, "select": {"posts": {"where": {"or": terms}}}}))
    error = refused({"where": {"or": terms}, "select": {"posts": {"where": {"or": [*terms, {"a": None}]}}}})
    assert (error.code, error.details) == ("QUERY_TOO_COMPLEX", {"limit": 100, "found": 101})
    having = {"operation": "aggregate", "aggregates": {"n": "count"}, "having": {"and": [{"n": 1}] * 101}}
    assert refused(having).code == "QUERY_TOO_COMPLEX"


def test_the_score() -> None:
    assert points({}) == TABLE
    assert points({"columns": ["a", "b"]}) == TABLE + 2 * FIELD
    assert points({"where": {"a": 1, "b": None}}) == TABLE + 2 * CONDITION
    assert points({"where": {"a": {"imatch": "x"}}}) == TABLE + WEIGHTS["imatch"]
    assert points({"order_by": ["a", "b"]}) == TABLE + 2 * ORDER
    assert points({"distinct": True}) == TABLE + DISTINCT
    assert points({"where": {"posts": {"some": {"a": 1}}}}) == 2 * TABLE + CONDITION
    assert points({"limit": 5000}) == TABLE + 5000 // ROWS_PER_POINT
    assert points({"select": {"p": {}}, "limit": 200}) == 2 * TABLE + FIELD + 200 * 101 // ROWS_PER_POINT
    assert points({"select": {"p": {"limit": 9}}, "limit": 200}) == 2 * TABLE + FIELD + 200 * 10 // ROWS_PER_POINT
    assert points({"select": {"p": {}}, "limit": 200, "one": True}) == 2 * TABLE + FIELD
    assert points({"operation": "count"}) == TABLE
    assert points({"operation": "aggregate", "aggregates": {"n": "count"}, "group_by": ["a"]}) == TABLE + 2 * FIELD
    assert points({"operation": "update", "data": {"a": 1}, "where": {"id": 1}, "returning": ["a"]}) == 13


def test_rows_multiply_along_relations() -> None:
    error = refused(nested(2))
    assert error.code == "QUERY_TOO_COMPLEX"
    assert "Smaller limits" in str(error)
    check(*parse({"table": "users", **nested(2, limit=20)}))
    assert score(*parse({"table": "users", **nested(6)})) > 10**9


def test_a_relation_to_one_is_one_row() -> None:
    up = Relation(name="posts", constraint="k", target="users", columns=("a",), target_columns=("b",), many=False)
    schema = Schema(tables={"users": Table(schema="public", name="users", columns={}, key=(), relations={"posts": up})})
    query, values = parse({"table": "users", **nested(6)})
    check(query, values, Guard(), schema)
    assert score(query, values, Guard(), schema) < score(query, values)


def test_a_gate_is_made_once() -> None:
    query, _ = parse({"table": "users", "where": {"id": 1}, "limit": 3})
    made = gate(query)
    made.check([1, 3])
    with pytest.raises(HostError):
        made.check([1, 5001])
    assert made.score([1, 3]) == TABLE + CONDITION
    with pytest.raises(HostError, match="allowed"):
        gate(query, Guard(complexity=11))
    small = gate(parse({"table": "users", "limit": 1})[0], Guard(complexity=12))
    with pytest.raises(HostError, match="allowed"):
        small.check([4000])


def test_size() -> None:
    check_size(1 << 20, Guard())
    with pytest.raises(HostError) as caught:
        check_size((1 << 20) + 1, Guard())
    assert caught.value.code == "QUERY_TOO_LARGE"


@settings(deadline=None)
@given(documents())
def test_every_query_has_a_score(document: Any) -> None:
    query, values = parse(document)
    assert score(query, values) >= TABLE
