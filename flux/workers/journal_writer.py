"""The worker's end of its journal ring: nothing that an execution has written overtakes or gets lost.

The master looks by itself, at the pace of its COPYs, and is asked to hurry when the ring is half full. A full ring is
back-pressure: entries wait here, in order, until the master has stored what is before them. How much may wait is
bounded by the executions in flight, and new ones are refused while there is no room for them (`admits`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..ipc._ring import Ring
from ..ipc.channel import Sender
from ..ipc.wire import JournalKind

# Below this share of free space no new execution is admitted, so that those in flight have room for their entries.
RESERVE_SHARE = 8


class JournalWriter:
    """Writes entries to the ring, or queues them while it is full. `hurry` asks the master to store the ring now."""

    def __init__(self, ring: Ring, hurry: Callable[[], None]) -> None:
        self._ring = ring
        self._sender = Sender(ring, None)  # no doorbell: see above
        self._reserve = ring.capacity // RESERVE_SHARE
        self._half = ring.capacity // 2
        self._hurry = hurry
        self._hurried = False  # since the ring was last less than half full
        self._waiting: deque[tuple[int, bytes, bytes]] = deque()
        self._pump: asyncio.Task[None] | None = None

    def admits(self) -> bool:
        """Whether there is room for a new execution."""
        free = self._ring.free
        if free > self._half:
            self._hurried = False
        elif not self._hurried:
            self._hurried = True
            self._hurry()
        return not self._waiting and free >= self._reserve

    def write(self, kind: JournalKind, tag: bytes, *parts: bytes) -> bool:
        """True when the entry is in shared memory; False when it waits for space (see `flushed`)."""
        if not self._waiting and self._sender.send(kind, tag, *parts):
            return True
        self._waiting.append((kind, tag, b"".join(parts)))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._write_waiting())
        return False

    async def flushed(self) -> None:
        """Returns once everything written so far is in shared memory."""
        if self._pump is not None:
            await asyncio.shield(self._pump)

    async def _write_waiting(self) -> None:
        while self._waiting:
            kind, tag, payload = self._waiting[0]
            await self._sender.send_all(kind, tag, payload)
            self._waiting.popleft()
