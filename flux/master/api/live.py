"""Executions as they finish, for `flux tail`: from the recorder's batches to whoever listens now.

Nobody listens most of the time, and then a batch costs one comparison. A listener that reads too slowly loses the
oldest of what waits for it, and is told how many; the recorder never waits for one.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from flux.record.row import COLUMNS, POSTGRES_EPOCH_US
from flux.store.shape import plain

# Executions that wait for one listener; at some KB each this bounds a listener's memory.
WAITING = 1000

_SUMMARY = (*COLUMNS[: COLUMNS.index("seed")], "logs")
_EPOCH = datetime.fromtimestamp(0, UTC)


def summary(row: bytes) -> dict[str, Any]:
    """What listings show of an execution, plus its logs, out of its tuple in binary COPY format."""
    found: dict[str, Any] = {}
    at = 2
    for column in COLUMNS:
        (length,) = struct.unpack_from(">i", row, at)
        at += 4
        value = None if length < 0 else row[at : at + length]
        at += max(0, length)
        if column in _SUMMARY:
            found[column] = None if value is None else _READERS.get(column, bytes.decode)(value)
    found["duration_ms"] = found.pop("duration_us") / 1000
    found["logs"] = found["logs"] or []
    return found


def _id(value: bytes) -> str:
    return str(UUID(bytes=value))


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _time(value: bytes) -> str:
    return str(plain(_EPOCH + timedelta(microseconds=_integer(value) + POSTGRES_EPOCH_US)))


# How a column is read that is not text.
_READERS: dict[str, Callable[[bytes], Any]] = {
    "request_id": _id,
    "parent_request_id": _id,
    "replay_of": _id,
    "status": _integer,
    "error": orjson.Fragment,
    "started_at": _time,
    "duration_us": _integer,
    "logs": orjson.Fragment,
}


class _Listener:
    __slots__ = ("arrived", "missed", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.missed = 0
        self.arrived = asyncio.Event()


class Live:
    """The listeners of this server."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, rows: Sequence[bytes]) -> None:
        """Tells everybody of executions that are stored now (tuples in binary COPY format)."""
        for listener in self._listeners:
            listener.waiting.extend(rows)
            while len(listener.waiting) > WAITING:
                listener.waiting.popleft()
                listener.missed += 1
            listener.arrived.set()

    async def listen(self, quiet_s: float) -> AsyncGenerator[dict[str, Any] | int | None]:
        """Yields executions (`summary`), how many were missed, or None after `quiet_s` without any; never ends."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                if listener.missed:
                    missed, listener.missed = listener.missed, 0
                    yield missed
                elif listener.waiting:
                    yield summary(listener.waiting.popleft())
                else:
                    listener.arrived.clear()
                    try:
                        async with asyncio.timeout(quiet_s):
                            await listener.arrived.wait()
                    except TimeoutError:
                        yield None
        finally:
            self._listeners.discard(listener)
