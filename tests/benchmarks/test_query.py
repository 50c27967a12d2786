"""What it costs to take a query apart. The walk is paid by every call: its budget is 8 µs; the rest once per shape."""

from __future__ import annotations

from typing import Any

import orjson
from pytest_benchmark.fixture import BenchmarkFixture

from flux.data.guard import gate
from flux.data.query import parse, read

# Ten fields, related rows with where and order, four conditions, limits; from JSON, as a call's arguments are.
NESTED: dict[str, Any] = orjson.loads(b"""{
  "table": "users",
  "operation": "select",
  "select": {
    "id": true, "email": true, "name": true, "plan": true, "city": true, "age": true, "created_at": true,
    "org": "org_id", "theme": "settings->>theme",
    "posts": {
      "columns": ["id", "title", "created_at"],
      "where": {"published": true},
      "order_by": {"created_at": "desc"},
      "limit": 5
    }
  },
  "where": {"tenant": "acme", "age": {"gte": 18}, "or": [{"plan": "pro"}, {"email": {"ilike": "%@acme.com"}}]},
  "order_by": [{"created_at": "desc"}, "id"],
  "limit": 20
}""")
BY_ID: dict[str, Any] = {"table": "users", "where": {"id": 42}, "one": True}


def test_read_nested(benchmark: BenchmarkFixture) -> None:
    assert benchmark(read, NESTED)[1] == [True, 5, "acme", 18, "pro", "%@acme.com", 20]


def test_read_by_id(benchmark: BenchmarkFixture) -> None:
    assert benchmark(read, BY_ID)[1] == [42]


def test_parse_nested(benchmark: BenchmarkFixture) -> None:
    assert benchmark(parse, NESTED)[1] == read(NESTED)[1]


def test_gate_nested(benchmark: BenchmarkFixture) -> None:
    benchmark(gate, parse(NESTED)[0])


def test_pass_the_gate(benchmark: BenchmarkFixture) -> None:
    query, values = parse(NESTED)
    benchmark(gate(query).check, values)
