from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.build.sourcemap import Frame, Position, SourceMap, frames, map_stack, origin

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# column in the bundle -> (source, line, column), all from 0; None maps to nothing
Line = dict[int, tuple[int, int, int] | None]


def encode(lines: list[Line]) -> str:
    """The `mappings` of these lines: the reader's counterpart, written from the specification."""
    previous = [0, 0, 0]
    encoded = []
    for line in lines:
        segments = []
        last_column = 0
        for column, place in sorted(line.items()):
            numbers = [column - last_column]
            last_column = column
            if place is not None:
                numbers += [now - before for now, before in zip(place, previous, strict=True)]
                previous = list(place)
            segments.append("".join(map(_vlq, numbers)))
        encoded.append(",".join(segments))
    return ";".join(encoded)


def _vlq(number: int) -> str:
    rest = (abs(number) << 1) | (number < 0)
    text = ""
    while True:
        digit, rest = rest & 31, rest >> 5
        text += _ALPHABET[digit | (32 if rest else 0)]
        if not rest:
            return text


def source_map(lines: list[Line], sources: list[str], contents: list[str | None] | None = None) -> SourceMap:
    document = {"version": 3, "sources": sources, "sourcesContent": contents, "mappings": encode(lines), "names": []}
    return SourceMap(json.dumps(document))


_PLACES = st.none() | st.tuples(st.integers(0, 3), st.integers(0, 100_000), st.integers(0, 5000))


@given(st.lists(st.dictionaries(st.integers(0, 5000), _PLACES, max_size=8), max_size=8))
def test_every_segment_is_found_where_it_starts(lines: list[Line]) -> None:
    decoded = source_map(lines, ["a", "b", "c", "d"])
    for number, line in enumerate(lines, start=1):
        for column, place in line.items():
            found = decoded.at(number, column + 1)
            expected = place and Position(source="abcd"[place[0]], line=place[1] + 1, column=place[2] + 1)
            assert found == expected


def test_between_two_segments_the_one_before_counts() -> None:
    decoded = source_map([{}, {4: (0, 9, 2), 20: (0, 10, 0)}], ["a.ts"])
    assert decoded.at(2, 12) == Position(source="a.ts", line=10, column=3)
    assert decoded.at(2, 500) == Position(source="a.ts", line=11, column=1)
    assert decoded.at(2, 4) is None
    assert decoded.at(1, 1) is None
    assert decoded.at(0, 1) is None
    assert decoded.at(99, 1) is None


def test_source_lines() -> None:
    decoded = source_map([{0: (0, 1, 0)}], ["a.ts", "npm:zod@4/x.js"], ["one\ntwo\n", None])
    assert decoded.source_line(Position(source="a.ts", line=2, column=1)) == "two"
    assert decoded.source_line(Position(source="a.ts", line=3, column=1)) is None
    assert decoded.source_line(Position(source="npm:zod@4/x.js", line=1, column=1)) is None
    assert decoded.source_line(Position(source="other", line=1, column=1)) is None


def test_other_revisions_are_refused() -> None:
    with pytest.raises(ValueError, match="revision 3"):
        SourceMap('{"version": 2, "sources": [], "mappings": ""}')


def test_map_stack() -> None:
    decoded = source_map([{}, {2: (0, 11, 10), 30: (1, 3, 4)}], ["create_user.ts", "npm:zod@4.6.7/parse.js"])
    stack = (
        "Error: a message with (flux) in it\n"
        "    at parse (flux:create_user:2:31)\n"
        "    at async Object.handler (flux:create_user:2:3)\n"
        "    at new Map (<anonymous>)\n"
        "    at flux:create_user:1:1"
    )
    mapped = map_stack(stack, decoded)
    assert mapped == (
        "Error: a message with (flux) in it\n"
        "    at parse (npm:zod@4.6.7/parse.js:4:5)\n"
        "    at async Object.handler (create_user.ts:12:11)\n"
        "    at new Map (<anonymous>)\n"
        "    at flux:create_user:1:1"
    )
    found = frames(mapped)
    own = Position(source="create_user.ts", line=12, column=11)
    assert found == [
        Frame(function="parse", position=Position(source="npm:zod@4.6.7/parse.js", line=4, column=5), own=False),
        Frame(function="Object.handler", position=own, own=True),
        Frame(function="", position=Position(source="flux:create_user", line=1, column=1), own=False),
    ]
    assert origin(found) == own
    assert own.location == "create_user.ts:12"


def test_origin_without_own_frames() -> None:
    assert origin([]) is None
    only = Frame(function="f", position=Position(source="npm:a@1/b.js", line=1, column=1), own=False)
    assert origin([only]) == only.position
