from __future__ import annotations

import pytest

from flux.data.explain.described import parameters, policies
from flux.data.explain.recorded import query_of
from flux.data.policy.model import Caller, Grant
from flux.data.policy.rules import parse_rule
from flux.data.query import parse
from tests.unit.data.compiler.tables import SCHEMA, USERS, planned, protected


def test_a_host_call_as_a_query() -> None:
    assert query_of("db.query", {"query": {"table": "users"}, "key": "7", "filters": [["a", "b"]], "tx": 1}) == {
        **{"query": {"table": "users"}, "key": "7", "filters": [["a", "b"]]},
    }
    assert query_of("db.findOne", {"table": "users", "where": {"id": 1}, "tx": 1}) == {
        "query": {"table": "users", "where": {"id": 1}, "operation": "select", "one": True}
    }
    assert query_of("db.findById", {"table": "users", "id": {"a": 1}}) == {
        **{"query": {"table": "users", "operation": "select", "one": True}, "key": {"a": 1}},
    }
    assert query_of("db.insertMany", {"table": "users", "data": []}) == {
        "query": {"table": "users", "data": [], "operation": "insert"}
    }


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("db.sql", {"text": "SELECT 1"}),
        ("db.find", None),
        ("db.find", {"where": {"a": [{"$truncated": 9}]}}),
        ("x", {}),
    ],
)
def test_what_cannot_be_explained(op: str, args: object) -> None:
    assert query_of(op, args) is None


def test_parameters_and_policies_for_people() -> None:
    rule = parse_rule("org = $auth.tenant and label != 'x'", USERS, SCHEMA)
    document = {"table": "users", "columns": ["id"], "where": {"age": {"between": [1, 9]}, "email": "e" * 500}}
    plan = planned(document, protected(users={"select": Grant(where=rule, readable=frozenset(("id", "age", "email")))}))
    shown = parameters(plan, plan.parameters(parse(document)[1], Caller(role="member", tenant="acme"), None))
    by_source = {each.source: each.value for each in shown}
    assert by_source["the caller: $auth.tenant"] == "acme"
    assert by_source["the query: age, entry 0"] == "1"
    assert len(by_source["the query: email"] or "") == 200
    assert "the query's shape, or a policy" in by_source
    assert [each.number for each in shown] == list(range(1, len(shown) + 1))
    (policy,) = policies(plan)
    assert (policy.table, policy.operation, policy.columns) == ("users", "select", ["age", "email", "id"])
    assert (policy.where, policy.check) == ("org = $auth.tenant and label != 'x'", None)
