from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from cli.client import Event, parse_events
from cli.errors import Unreachable
from cli.stream import LONGEST_WAIT_S, follow


def test_events_of_a_stream() -> None:
    stream = (
        b": missed 12\n\n: hello\n\n"
        b'id: 7\ndata: {"a":\ndata: 1}\n\nevent: x\ndata: broken\n\ndata:[2]\r\n\r\ndata: cut off'
    )
    events = list(parse_events(stream.splitlines(keepends=True)))
    assert events == [Event(missed=12), Event(id="7", data={"a": 1}), Event(id="7", data=[2])]


def test_first_connection_must_succeed() -> None:
    def connect(last_id: str | None) -> Iterator[Event]:
        raise Unreachable

    with pytest.raises(Unreachable):
        next(follow(connect, note=print))


def test_lost_connection_is_made_again_from_the_last_event() -> None:
    asked: list[str | None] = []
    waits: list[float] = []
    notes: list[str] = []

    def broken() -> Iterator[Event]:
        yield Event(id="2", data="b")
        raise Unreachable

    def connect(last_id: str | None) -> Iterator[Event]:
        asked.append(last_id)
        if len(asked) == 1:
            return iter([Event(id="1", data="a")])  # ended by the server
        if len(asked) < 8:
            raise Unreachable
        return broken() if len(asked) == 8 else iter([Event(id=None, data="c")])

    seen = list(islice(follow(connect, note=notes.append, sleep=waits.append), 3))
    assert seen == ["a", "b", "c"]
    assert asked == [None, *["1"] * 7, "2"]
    assert waits[:7] == [0.5, 1.0, 2.0, 4.0, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]
    assert len(notes) == 4
