"""Raw paths to segments."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import RequestError
from flux.master.gateway.path import decode, segments

# What a path segment can hold: any text without NUL, and not a dot segment.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda s: s not in (".", "..")
)


@given(st.lists(words, min_size=1))
def test_what_was_quoted_comes_back(parts: list[str]) -> None:
    assert segments("/" + "/".join(quote(part, safe="") for part in parts)) == parts


@given(words)
def test_bytes_beyond_ascii_may_come_unquoted(word: str) -> None:
    raw = quote(word, safe="".join(map(chr, range(128, 1000)))).encode()
    assert decode(raw.decode("utf-8", "surrogateescape")) == word


@pytest.mark.parametrize("segment", ["%", "%4", "%zz", "a%2", "%ff", "%c3%28", "%00", "\udcff"])
def test_broken_segments_are_refused(segment: str) -> None:
    with pytest.raises(RequestError):
        decode(segment)


@pytest.mark.parametrize("path", ["", "*", "a/b", "/.", "/a/../b", "/a/./b", "/a/%2e%2E", "/%2e"])
def test_paths_that_two_readers_could_read_differently_are_refused(path: str) -> None:
    with pytest.raises(RequestError):
        segments(path)


def test_an_escaped_slash_stays_inside_its_segment() -> None:
    assert segments("/a%2Fb/c") == ["a/b", "c"]
