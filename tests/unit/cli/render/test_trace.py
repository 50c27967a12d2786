from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.render.text import Paint
from cli.render.trace import trace_lines
from flux.record.hints import hints
from tests.unit.cli.recorded import recorded

Execution = dict[str, Any]

# The shape that the specification fixes, character for character.
CREATE_USER = """\
  Trace 4f9a3b2c  POST /create_user  200

  ▸ gateway                     3ms
    auth ✔  rate_limit ✔  cors ✔

  ▸ create_user                 81ms
    ▸ db:select(users)           11ms
    ▸ db:insert(users)           14ms

  ▸ send_welcome  async →  queued

  ── total: 98ms ─────────────────────"""


@pytest.fixture
def execution() -> Execution:
    return dict(recorded("create_user"))


def text(execution: Execution, **options: Any) -> str:
    return "\n".join(trace_lines(execution, **options))


def span(id: int, parent: int, name: str, **more: Any) -> dict[str, Any]:
    kind = name.partition(":")[0]
    made = {"id": id, "parent": parent, "seq": id, "kind": kind, "name": name, "op": kind, "start_us": 0}
    return {**made, "duration_us": 1000, "status": "ok", "input": None, "output": None, "attributes": {}, **more}


def test_the_specified_shape(execution: Execution) -> None:
    assert text(execution) == CREATE_USER


def test_colour_changes_nothing_but_colour(execution: Execution) -> None:
    import re

    coloured = text(execution, paint=Paint(enabled=True))
    assert "\x1b[32m200\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == CREATE_USER


@pytest.mark.parametrize(
    ("child", "outcome"),
    [
        ({"state": "running", "status": None, "duration_ms": None}, "running"),
        ({"state": "running", "status": 500, "duration_ms": 3.0, "attempts": 2}, "running"),
        ({"state": "cancelled", "status": None, "duration_ms": None}, "cancelled"),
        ({"state": "done", "status": 200, "duration_ms": 41.4}, "200 41ms"),
        ({"state": "queued", "status": 500, "duration_ms": 1200.0, "attempts": 1}, "500 1.2s, will be retried"),
        ({"state": "dead", "status": 500, "duration_ms": 3.0, "attempts": 5}, "500 3ms, given up after 5 attempts"),
        # The job was swept from the queue; its execution is left.
        ({"job_id": None, "kind": "job", "state": "done", "status": 200, "duration_ms": 5.0}, "200 5ms"),
    ],
)
def test_async_branch_says_what_became_of_the_job(execution: Execution, child: dict[str, Any], outcome: str) -> None:
    execution["children"] = [{"job_id": "b7e1", "function": "send_welcome", "request_id": None, **child}]
    assert f"\n  ▸ send_welcome  async →  {outcome}\n" in text(execution)


def test_async_branch_of_a_job_the_server_does_not_list_is_queued(execution: Execution) -> None:
    execution["children"] = []
    assert "\n  ▸ send_welcome  async →  queued\n" in text(execution)


def test_push_in_a_rolled_back_transaction(execution: Execution) -> None:
    execution["children"] = []
    execution["spans"][4]["input"] = {"function": "send_welcome", "payload": {}, "tx": 1}
    execution["spans"].append(span(6, 2, "db:rollback", op="db.rollback", input={"tx": 1}))
    assert "\n  ▸ send_welcome  async →  rolled back\n" in text(execution)


def test_push_in_a_rehearsal(execution: Execution) -> None:
    execution |= {"kind": "rehearsal", "children": []}
    assert "\n  ▸ send_welcome  async →  rolled back\n" in text(execution)


def test_push_in_another_transaction_than_the_one_rolled_back(execution: Execution) -> None:
    execution["spans"][4]["input"] = {"function": "send_welcome", "payload": {}, "tx": 2}
    execution["spans"].append(span(6, 2, "db:rollback", op="db.rollback", input={"tx": 1}))
    assert "\n  ▸ send_welcome  async →  queued\n" in text(execution)


def test_push_that_failed_stays_in_the_function(execution: Execution) -> None:
    execution["children"] = []
    execution["spans"][4] |= {"status": "error", "output": {"code": "UNAVAILABLE", "message": "no database"}}
    assert "    ▸ queue:push(send_welcome)   9ms  ✗ UNAVAILABLE  no database\n" in text(execution)
    assert "async" not in text(execution)


def test_error_shows_code_message_and_source() -> None:
    assert (
        text(recorded("signup_failed"))
        == """\
  Trace 550e8400  POST /signup  500

  ▸ gateway                                  0.4ms
    auth ✔  rate_limit ✔  cors ✔  tenant acme

  ▸ signup                                   10.0s  ✗
    ▸ charge                                  10.0s  ✗
      ▸ fetch(POST api.stripe.com/v1/charges)  10.0s  slow  ✗ FETCH_TIMEOUT  no answer within 10000 ms

  ✗ FUNCTION_ERROR  Stripe timeout
    at payments/create.ts:42

  ── total: 10.0s ────────────────────"""
    )


def test_violations_of_the_input(execution: Execution) -> None:
    execution |= {
        "status": 422,
        "error": {
            "code": "VALIDATION_FAILED",
            "message": "bad input",
            "violations": [{"path": ["user", "email"], "message": "not an email"}, {"path": [], "message": "too long"}],
        },
    }
    expected = "  ✗ VALIDATION_FAILED  bad input\n    user.email: not an email\n    (input): too long\n"
    assert expected in text(execution)


def test_request_cut_off_by_its_workers_death(execution: Execution) -> None:
    execution |= {"status": 502, "error": {"code": "WORKER_DIED", "message": "worker died"}, "children": []}
    execution["spans"] = execution["spans"][:3]
    execution["spans"][2]["status"] = "open"
    assert "    ▸ db:select(users)           no answer\n" in text(execution)
    assert "  ✗ WORKER_DIED  worker died\n" in text(execution)


def test_refused_at_the_gateway(execution: Execution) -> None:
    execution |= {"status": 429, "children": [], "spans": execution["spans"][:1]}
    execution["spans"][0]["attributes"] = {"auth": "ok", "rate_limit": "denied", "size": "ok"}
    assert (
        text(execution)
        == """\
  Trace 4f9a3b2c  POST /create_user  429

  ▸ gateway                     3ms
    auth ✔  rate_limit ✗

  ── total: 98ms ─────────────────────"""
    )


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("db:select(orders)", "one query with { in: [...] } reads the rows at once"),
        ("db:insert(orders)", "insertMany writes the rows at once"),
        ("db:update(orders)", "one statement for all rows would do"),
    ],
)
def test_n_plus_one_is_called_out(execution: Execution, name: str, remedy: str) -> None:
    execution["spans"] = [*execution["spans"][:2], *(span(3 + at, 2, name, start_us=at * 1000) for at in range(5))]
    assert f"\n\n  ! N+1: {name} ran 5 times in create_user, 5ms in all: {remedy}\n\n" in text(execution)


def test_four_equal_calls_or_calls_under_different_parents_are_no_n_plus_one(execution: Execution) -> None:
    nested = [span(10, 2, "step"), *(span(11 + at, 10, "db:select(orders)") for at in range(4))]
    execution["spans"] = [*execution["spans"][:2], *(span(3 + at, 2, "db:select(orders)") for at in range(4)), *nested]
    assert "N+1" not in text(execution)


def test_a_slow_query_is_called_out_with_the_index_it_misses(execution: Execution) -> None:
    execution["spans"] = [*execution["spans"][:2], span(3, 2, "db:select(orders)", duration_us=60_000)]
    slow = "\n\n  ! slow: db:select(orders) took 60ms, 61% of the execution\n"
    assert f"{slow}    next: flux explain --request 4f9a3b2c\n\n" in text(execution)
    index = {"why": "all of the rows are read", "ddl": "CREATE INDEX x"}
    found = [replace(hint, indexes=(index,)) for hint in hints(execution)]
    serves = "    all of the rows are read; an index would serve:\n    CREATE INDEX x;\n    next:"
    assert slow + serves in text(execution, found=found)


def test_slow_is_what_took_long_itself(execution: Execution) -> None:
    execution["spans"][1]["duration_us"] = 250_000
    execution["spans"][3] |= {"duration_us": 200_000, "start_us": 29_000}
    lines = text(execution).splitlines()
    assert "  ▸ create_user                 250ms" in lines
    assert "    ▸ db:insert(users)           200ms  slow" in lines
    assert "slow" in text(recorded("create_user"), slow_ms=10)


def test_logs_stand_under_the_tree(execution: Execution) -> None:
    assert """
  logs
      28ms  info   email is free  email=ada@example.com  (create_user.ts:9)
      80ms  warn   slow mail server

  ── total""" in text(execution, with_logs=True)


def test_job_and_replay_name_where_they_come_from(execution: Execution) -> None:
    execution |= {"kind": "job", "function": "send_welcome", "parent_request_id": "11112222-0000"}
    assert trace_lines(execution)[0] == "  Trace 4f9a3b2c  job send_welcome  200  from 11112222"
    execution |= {"kind": "replay", "replay_of": "33334444-0000"}
    assert trace_lines(execution)[0] == "  Trace 4f9a3b2c  POST /create_user  200  replay of 33334444"


def test_what_callers_send_cannot_steer_the_terminal(execution: Execution) -> None:
    execution["path"] = "/x\x1b[2J\n\u202e"
    execution["spans"][2]["name"] = "db:sql(\x1b]0;owned\x07)"
    shown = text(execution)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert trace_lines(execution)[0] == r"  Trace 4f9a3b2c  POST /x\x1b[2J\n\u202e  200"


def test_span_whose_parent_is_lost_is_still_shown(execution: Execution) -> None:
    execution["spans"] = [*execution["spans"][:2], span(9, 7, "db:select(orders)")]
    assert "\n  ▸ db:select(orders)           1ms\n" in text(execution)


def test_deeply_nested_spans(execution: Execution) -> None:
    depth = 3000  # more than Python's recursion limit
    execution["spans"] = [*execution["spans"][:2], *(span(3 + at, 2 + at, "step") for at in range(depth))]
    assert sum("▸ step" in line for line in trace_lines(execution)) == depth


def test_execution_without_spans(execution: Execution) -> None:
    execution |= {"spans": [], "logs": None, "children": None, "duration_ms": None}
    assert (
        text(execution)
        == """\
  Trace 4f9a3b2c  POST /create_user  200

  ── total: - ────────────────────────"""
    )


def test_what_was_rolled_back(execution: Execution) -> None:
    execution["spans"] = [span(1, 0, "f"), span(2, 1, "db:insert(users)", attributes={"rolled_back": True})]
    assert "▸ db:insert(users)           1ms  ✗ rolled back" in text(execution)


def test_mutations_counted(execution: Execution) -> None:
    changed = [("users", "insert"), ("users", "insert"), ("audit", "update"), ("users", "delete"), (None, "ddl")]
    execution["mutations"] = [{"table": table, "operation": operation} for table, operation in changed]
    lines = text(execution, with_mutations=True)
    assert "  mutations: 5\n    users  2 inserted · 1 deleted\n    audit  1 updated\n    -      1 ddl\n" in lines
    execution["mutation_count"] = 900
    assert "mutations: 900 (the first 5:)" in text(execution, with_mutations=True)
