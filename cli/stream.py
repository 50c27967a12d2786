"""A stream of server-sent events that outlives its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from .client import Event
from .errors import Unreachable

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0

Open = Callable[[str | None], Iterator[Event]]


def follow(connect: Open, *, note: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> Iterator[Any]:
    """The data of events, for ever. `connect` takes the ID of the last event seen.

    The first connection must succeed (Unreachable otherwise); a later one is tried again, at growing intervals.
    """
    events = connect(None)
    last_id: str | None = None
    while True:
        try:
            for event in events:
                if event.missed:
                    note(f"{event.missed} finished faster than they can be shown; `flux trace` has them")
                    continue
                last_id = event.id or last_id
                yield event.data
        except Unreachable:
            pass  # the server died or the network did: as if the stream had ended
        note("connection lost; trying again")
        events = _again(connect, last_id, sleep)
        note("connected again; what finished in between is in `flux trace`")


def _again(connect: Open, last_id: str | None, sleep: Callable[[float], None]) -> Iterator[Event]:
    wait = FIRST_WAIT_S
    while True:
        sleep(wait)
        try:
            return connect(last_id)
        except Unreachable:
            wait = min(2 * wait, LONGEST_WAIT_S)
