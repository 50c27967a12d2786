from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from flux.record.journal import Journal
from flux.record.rollbacks import marked, rolled_back

Step = tuple[str, Mapping[str, Any], str, Any]


def begin(number: int, outer: int | None = None) -> Step:
    return ("db.begin", {} if outer is None else {"tx": outer}, "ok", {"tx": number})


def end(number: int, how: str, code: str | None = None) -> Step:
    return (f"db.{how}", {"tx": number}, "error" if code else "ok", {"code": code} if code else None)


def insert(number: int | None, status: str = "ok") -> Step:
    return ("db.insert", {"table": "users"} | ({} if number is None else {"tx": number}), status, None)


def undone(*steps: Step) -> set[int]:
    spans = [
        {"id": place, "op": op, "input": args, "status": status, "output": output}
        for place, (op, args, status, output) in enumerate(steps)
    ]
    return rolled_back([{"id": 90, "kind": "gateway", "input": None}, *spans])


def test_committed() -> None:
    assert undone(insert(None), begin(1), insert(1), end(1, "commit")) == set()


def test_rolled_back_and_abandoned() -> None:
    assert undone(insert(None), begin(1), insert(1), insert(1), end(1, "rollback")) == {2, 3}
    assert undone(begin(1), insert(1)) == {1}
    assert undone(begin(1), insert(1, "open")) == {1}


def test_failed_commit() -> None:
    assert undone(begin(1), insert(1), insert(1, "error"), end(1, "commit", "TRANSACTION_ABORTED")) == {1}
    assert undone(begin(1), insert(1), end(1, "commit", "SERIALIZATION_FAILURE"), end(1, "rollback")) == {1}
    assert undone(begin(1), insert(1), end(1, "commit", "TRANSACTION_EXPIRED")) == {1}


def test_a_commit_of_which_nobody_knows() -> None:
    assert undone(begin(1), insert(1), end(1, "commit", "DATABASE_UNAVAILABLE")) == set()
    assert undone(begin(1), insert(1), ("db.commit", {"tx": 1}, "open", None)) == set()


def test_savepoints() -> None:
    inner = (begin(1), insert(1), begin(2, 1), insert(2))
    assert undone(*inner, end(2, "rollback"), end(1, "commit")) == {3}
    assert undone(*inner, end(2, "commit"), end(1, "rollback")) == {1, 3}
    assert undone(*inner, end(2, "commit"), end(1, "commit")) == set()
    assert undone(*inner, end(1, "rollback")) == {1, 3}
    assert undone(
        begin(1), begin(2, 1), begin(3, 2), insert(3), end(3, "commit"), end(2, "rollback"), end(1, "commit")
    ) == {3}


def test_commit_then_rollback_stays_committed() -> None:
    assert undone(begin(1), insert(1), end(1, "commit"), end(1, "rollback")) == set()


@pytest.mark.parametrize(
    ("op", "args", "writes"),
    [
        ("db.sql", {"text": "  update users set a = 1"}, True),
        ("db.sql", {"text": "select 1"}, False),
        ("db.sql", {"text": "with x as (delete from t) select 1"}, True),
        ("db.sql", {"text": ""}, False),
        ("db.query", {"query": {"table": "users", "operation": "delete"}}, True),
        ("db.query", {"query": {"table": "users"}}, False),
        ("db.find", {"table": "users"}, False),
        ("queue.push", {"function": "f"}, True),
        ("db.upsert", {}, True),
    ],
)
def test_what_is_a_write(op: str, args: dict[str, Any], writes: bool) -> None:
    assert undone(begin(1), (op, args | {"tx": 1}, "ok", None), end(1, "rollback")) == ({1} if writes else set())


def test_unknown_transactions() -> None:
    assert undone(insert(7), ("db.begin", {}, "error", {"code": "DATABASE_BUSY"}), end(7, "commit")) == set()
    assert undone(begin(1), ("db.insert", {"$truncated": 300_000}, "ok", None), end(1, "rollback")) == set()


def test_marks_keep_everything_else() -> None:
    journal = Journal(cap=10_000)
    for number, args in enumerate((b'{"n":1.50,"tx":1}', b'{"tx":1,"x":",\\"settled\\":1}"}', b'{"tx":1}'), 3):
        journal.call(number, 2, "db.insert", args, orjson.loads(args), number)
        journal.answer(number, True, b'{"attributes":{"a":1},"n":12345678901234567890.10}', number)
    journal.spans[4].attributes = b'{"rows":1}'
    text = journal.spans_json(b'{"id":1,"attributes":{}}').decode()
    found = marked(text, {3, 4})
    assert found.replace(',"rolled_back":true', "").replace('"rolled_back":true', "") == text
    attributes = {span["id"]: span["attributes"] for span in json.loads(found)}
    assert attributes == {1: {}, 3: {"rolled_back": True}, 4: {"rows": 1, "rolled_back": True}, 5: {}}
    assert marked(text, ()) == text
