from __future__ import annotations

from typing import Any

from cli.explaining import caller_of, recorded
from cli.render.explain import explain_lines, recorded_lines

ANSWER: dict[str, Any] = {
    "operation": "select",
    "writes": False,
    "tables": ["users"],
    "policies": [
        {"table": "users", "operation": "select", "columns": ["id"], "where": "tenant = $auth.tenant", "check": None}
    ],
    "sql": 'SELECT t."id" FROM "public"."users" AS t WHERE t."plan" = $1',
    "parameters": [
        {"number": 1, "value": "pro", "source": "the query: plan"},
        {"number": 2, "value": None, "source": "the caller: $auth.tenant"},
    ],
    "guard": {"score": 7, "limits": {"complexity": 1000}},
    "plan": {
        "cost": 2500.4,
        "rows": 10,
        "ms": 12.3,
        "root": {
            **{"node": "Limit", "rows": 10, "cost": 2500.4, "ms": 12.3, "actual": 9, "loops": 1},
            "children": [
                {
                    **{"node": "Seq Scan", "table": "users", "rows": 1, "cost": 2500, "filter": "(plan = 'pro')"},
                    **{"ms": 12, "actual": 3, "loops": 2, "children": []},
                }
            ],
        },
    },
    "indexes_missing": [{"table": "users", "columns": ["plan"], "why": "all rows are read", "ddl": "CREATE INDEX x"}],
    "warnings": ["Table orders has no policy."],
}

EXPECTED = """\
cost 2500, 10 rows expected, 12ms measured; score 7 of 1000
! Table orders has no policy.
! missing index: all rows are read
    CREATE INDEX x;

policies
  select users: id; rows where tenant = $auth.tenant

plan
  Limit  (cost 2500, 10 rows, took 12ms, found 9)
    Seq Scan on users  (cost 2500, 1 row, took 12ms, found 3, 2 times)
        filter (plan = 'pro')

sql
  SELECT t."id" FROM "public"."users" AS t WHERE t."plan" = $1
  $1 = pro  from the query: plan
  $2 = null  from the caller: $auth.tenant"""


def test_what_is_to_be_done_comes_first() -> None:
    assert "\n".join(explain_lines(ANSWER)) == EXPECTED


def test_a_recorded_call() -> None:
    lines = recorded_lines({"call": "db:select(users)", "spans": [3, 4], "explanation": ANSWER})
    assert lines[0] == "db:select(users)  2 times"
    assert lines[1].startswith("  cost 2500")
    assert recorded_lines({"call": "db:sql(X)", "spans": [3], "error": "not a query"}) == ["db:sql(X)", "  not a query"]


def test_nothing_of_a_query_reaches_the_terminal_raw() -> None:
    hostile = {**ANSWER, "sql": "\x1b[2J", "warnings": ["\x1b]0;x\x07"]}
    assert "\x1b" not in "\n".join(explain_lines(hostile))


def test_calls_of_an_execution_each_query_once() -> None:
    def span(id: int, op: str, args: Any, kind: str = "db") -> dict[str, Any]:
        return {"id": id, "kind": kind, "op": op, "name": f"{op}()", "input": args}

    execution = {
        "tenant": "acme",
        "request": {"user": {"id": "u1", "role": "member", "org": 7}},
        "spans": [
            span(1, "gateway", None, kind="gateway"),
            span(3, "db.findOne", {"table": "users", "where": {"id": 1}}),
            span(4, "db.findOne", {"table": "users", "where": {"id": 2}}),
            span(5, "db.findOne", {"table": "users", "where": {"email": "a"}}),
            span(6, "db.sql", {"text": "SELECT 1"}),
            span(7, "db.begin", {}),
            span(8, "fetch", {}, kind="outbound"),
        ],
    }
    calls = recorded(execution)
    assert [call.spans for call in calls] == [(3, 4), (5,), (6,)]
    caller = {"role": "member", "uid": "u1", "tenant": "acme", "claims": {"org": 7}}
    query = {"table": "users", "where": {"id": 1}, "operation": "select", "one": True}
    assert calls[0].body == {"query": query, **caller}
    assert calls[2].body is None
    assert caller_of({"request": None, "tenant": None}) == {}
    assert caller_of({"request": {"user": {"id": "k"}}}) == {"role": "authenticated", "uid": "k"}
