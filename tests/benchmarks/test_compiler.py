"""What a query costs before Postgres sees it: a realistic one, three levels deep, with policies on two of its tables.

Budget: 60 µs to compile (without parsing), 10 µs for the same shape again (its key, and the parameters).
"""

from __future__ import annotations

from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from flux.data.compiler import compile
from flux.data.guard import Guard
from flux.data.policy.model import Caller, Grant
from flux.data.query import parse, read
from flux.data.query.model import Auth, Compare, Literal, Some, Target
from tests.unit.data.compiler.tables import ROLE, SCHEMA, protected

QUERY: dict[str, Any] = {
    "table": "users",
    "select": {
        "id": True,
        "email": True,
        "posts": {
            "select": {"id": True, "title": True, "author": {"columns": ["id", "email"]}},
            "where": {"state": {"in": ["public", "draft"]}},
            "order_by": [{"id": "desc"}],
            "limit": 10,
        },
    },
    "where": {"email": {"like": "%@example.com"}, "or": [{"org": "acme"}, {"age": {"gt": 30}}]},
    "order_by": ["id"],
    "limit": 20,
}
POLICIES = protected(
    users={
        "select": Grant(where=Compare(Target("org"), "eq", Auth(("tenant",)))),
        "insert": Grant(check=Compare(Target("org"), "eq", Auth(("tenant",)))),
    },
    posts={
        "select": Grant(
            where=Some(
                (Compare(Target("state"), "eq", Literal("public")), Compare(Target("author_id"), "eq", Auth(("uid",))))
            )
        )
    },
)
CALLER = Caller(role=ROLE, uid="5", tenant="acme")
GUARD = Guard()


def test_compile(benchmark: BenchmarkFixture) -> None:
    query, _ = parse(QUERY)
    plan = benchmark(compile, query, SCHEMA, POLICIES, ROLE, guard=GUARD)
    assert len(plan.sources) == 10


def test_parse_and_compile(benchmark: BenchmarkFixture) -> None:
    benchmark(lambda: compile(parse(QUERY)[0], SCHEMA, POLICIES, ROLE, guard=GUARD))


def test_same_shape_again(benchmark: BenchmarkFixture) -> None:
    plan = compile(parse(QUERY)[0], SCHEMA, POLICIES, ROLE, guard=GUARD)
    assert benchmark(lambda: plan.parameters(read(QUERY)[1], CALLER, None))


def test_insert(benchmark: BenchmarkFixture) -> None:
    query, _ = parse({"table": "users", "operation": "insert", "data": {"email": "a@example.com", "age": 3}})
    assert benchmark(compile, query, SCHEMA, POLICIES, ROLE, guard=GUARD)
