"""Paths into JSON columns, from text and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux.data.query.format import MAX_NAME
from flux.data.query.model import Target
from flux.data.query.targets import PATTERN, target, written
from flux.failure import HostError

TEXTS = st.lists(st.sampled_from(["a", "b c", "->", "->>", "-", ">", "'", "0", "-1", "column:", "\n", "ü"]), max_size=7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Target("a")),
        ("a-b", Target("a-b")),
        ("a->b", Target("a", ("b",))),
        ("a->b->>c", Target("a", ("b", "c"), True)),
        ("a->0->-1", Target("a", (0, -1))),
        ("a->'0'->>'x->y'", Target("a", ("0", "x->y"), True)),
        ("a->0x", Target("a", ("0x",))),
        ("a->12345678901", Target("a", ("12345678901",))),
        ("a->it's", Target("a", ("it's",))),
        ("a->''", Target("a", ("",))),
        ("column:a->b", Target("a->b")),
        ("column:and", Target("and")),
        ("column:column:x", Target("column:x")),
    ],
)
def test_texts(text: str, expected: Target) -> None:
    assert target(text, "") == expected
    assert target(written(expected), "") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "->a",
        "a->",
        "a->>",
        "a->->b",
        "a->>b->c",
        "a->'b",
        "a->'b'c",
        "a->>>b",
        "column:",
        "a\0",
        "a" * (MAX_NAME + 1),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(HostError, match="where") as caught:
        target(text, "where")
    assert caught.value.code == "INVALID_QUERY"


# JSON Schema's patterns are JavaScript's, where $ is the end; Python's is also in front of a last line feed.
WHOLE = re.compile(PATTERN.removesuffix("$") + r"\Z")


@given(TEXTS.map("".join))
@example("a->''\n")
def test_the_pattern_of_the_schema_is_what_is_read(text: str) -> None:
    try:
        found = target(text, "where")
    except HostError:
        assert WHOLE.search(text) is None
    else:
        assert WHOLE.search(text) is not None
        assert target(written(found), "") == found
