"""A journal that absorbs its own entries is the same journal."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.record.journal import FIRST_CALL, Journal

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
STEP = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(["db.find", "fetch", "sleep", "odd"]), TEXT),
    st.tuples(st.just("answer"), st.booleans(), TEXT),
    st.tuples(st.just("open"), st.none(), TEXT),
    st.tuples(st.just("close"), st.booleans(), TEXT),
    st.tuples(st.just("log"), st.sampled_from(["info", "error"]), TEXT),
)


@given(st.lists(STEP, max_size=30))
def test_entries_rebuild_the_journal(steps: list[tuple[str, object, str]]) -> None:
    live, rebuilt = Journal(10_000), Journal(10_000)
    for at, (what, choice, text) in enumerate(steps):
        number = FIRST_CALL + at
        earlier = FIRST_CALL + at // 2
        args = {"table": text, "url": f"https://example.com/{text}", "ms": 5}
        if what == "call":
            entry = live.call(number, 0, str(choice), orjson.dumps(args), args, at * 10)
        elif what == "answer":
            entry = live.answer(earlier, bool(choice), orjson.dumps(text), at * 10)
        elif what == "open":
            entry = live.open_span(number, 0, text, at * 10)
        elif what == "close":
            entry = live.close_span(earlier, bool(choice), at * 10)
        else:
            entry = live.log(str(choice), orjson.dumps({"message": text}), at * 10)
        rebuilt.absorb(entry)
    assert rebuilt.spans_json(b"{}") == live.spans_json(b"{}")
    assert rebuilt.logs_json() == live.logs_json()
    assert isinstance(orjson.loads(live.spans_json(b"{}")), list)


def test_answers_are_numbered_in_the_order_given() -> None:
    journal = Journal(100)
    for number in (3, 4, 5):
        journal.call(number, 0, "sleep", b'{"ms":1}', {"ms": 1}, 0)
    for number in (4, 5, 3):
        journal.answer(number, True, b"null", 10)
    assert [journal.spans[number].settled for number in (3, 4, 5)] == [3, 1, 2]


def test_what_is_too_large_is_replaced_by_its_size() -> None:
    journal = Journal(10)
    journal.call(3, 0, "db.find", b'{"table":"users"}', {"table": "users"}, 0)
    journal.answer(3, True, b'"' + b"x" * 50 + b'"', 1)
    journal.log("info", b'{"message":"' + b"y" * 50 + b'"}', 2)
    _, span = orjson.loads(journal.spans_json(b"{}"))
    assert span["input"] == {"$truncated": 17}
    assert span["output"] == {"$truncated": 52}
    (line,) = orjson.loads(journal.logs_json() or b"")
    assert line == {"t_us": 2, "level": "info", "message": "[64 bytes]"}


@pytest.mark.parametrize("parent", [0, 3])
def test_a_call_belongs_to_the_function_or_to_an_open_span(parent: int) -> None:
    journal = Journal(100)
    journal.open_span(3, 0, "work", 0)
    journal.call(4, parent, "sleep", b'{"ms":1}', {"ms": 1}, 1)
    assert journal.spans[4].parent == (parent or 2)
