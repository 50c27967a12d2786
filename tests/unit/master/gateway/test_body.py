"""What is looked at in a body before it is passed on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import InvalidJson, UnsupportedMediaType
from flux.master.gateway.body import check_body, check_json, depth, is_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nesting(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 0


@given(values, st.booleans())
def test_depth_is_that_of_the_value(value: Any, ascii_only: bool) -> None:
    assert depth(json.dumps(value, ensure_ascii=ascii_only).encode()) == nesting(value)


def test_brackets_in_strings_do_not_count() -> None:
    check_json(json.dumps({"text": "[" * 1000 + '\\"{' * 1000}).encode(), 8)


@pytest.mark.parametrize("body", [b"[" * 129, b"[" * 129 + b"]" * 129, b'{"a":' * 129 + b"1" + b"}" * 129])
def test_too_deep(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="deeper than 128"):
        check_json(body, 128)


def test_many_shallow_objects_are_fine() -> None:
    check_json(b"[" + b",".join([b'{"a":[]}'] * 10_000) + b"]", 3)


@pytest.mark.parametrize("body", [b'"\xff"', b'{"\xc3":1}', b'"\xed\xa0\x80"'])
def test_not_utf8(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="not UTF-8"):
        check_json(body, 128)


@pytest.mark.parametrize(
    ("content_type", "verdict"),
    [
        (None, True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/plain", False),
        ("application/jsonl", False),
        ("multipart/form-data; boundary=json", False),
    ],
)
def test_what_counts_as_json(content_type: str | None, verdict: bool) -> None:
    assert is_json(content_type) is verdict


def test_only_json_is_looked_into() -> None:
    check_body({"content-type": "application/octet-stream"}, b"\xff" * 10 + b"[" * 1000, 128)
    with pytest.raises(InvalidJson):
        check_body({}, b"\xff", 128)


def test_compressed_bodies_are_refused() -> None:
    check_body({"content-encoding": "identity"}, b"{}", 128)
    with pytest.raises(UnsupportedMediaType):
        check_body({"content-encoding": "gzip"}, b"{}", 128)
