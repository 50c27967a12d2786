"""A ring and its doorbell on an event loop: `Sender` writes, `Receiver` hands out what comes, in batches.

Sleep protocol.  The receiver drains until the ring is empty, announces that it sleeps, looks once more, and only then
waits for the doorbell; the sender writes, then looks whether the receiver sleeps, and rings only if so. The ring's
fences make sure that one of them sees the other (`_ring.pyx`), so no wake-up is lost and a busy channel costs no system
calls.

Waiting for room.  Space has no doorbell of its own: a full ring means that the reader is milliseconds behind, so
`send_all` looks again at growing intervals instead of making every read check whether a writer waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar, cast

from flux.ipc._ring import MAX_RECORD_BYTES, Ring
from flux.ipc.doorbell import Doorbell
from flux.ipc.errors import RecordTooLarge, RingCorrupt

FIRST_WAIT_S = 0.0002  # about what a running reader needs to empty a ring of small records
LONGEST_WAIT_S = 0.005  # 200 looks a second are nothing, and nobody waits longer than needed by more than this
BATCH = 128  # records handed out per turn of the loop, so that timers and sockets get theirs in between
# Turns of the loop (2 µs each) for which a receiver that had something looks again before it sleeps: under load more
# comes within that time, and a wake-up costs ten such turns. +15 % dispatches/s (loadtest/dispatch_ring.py).
LINGER = 2

Record = tuple[int, bytes, bytes]
Positioned = tuple[int, bytes, bytes, int]
R = TypeVar("R", Record, Positioned)


class Readable(Protocol[R]):
    """`Ring.read` or `Ring.read_with_positions`."""

    def __call__(self, limit: int, /) -> list[R]: ...


class Sender:
    """The writing end. One per ring, on one event loop."""

    def __init__(self, ring: Ring, doorbell: Doorbell | None) -> None:
        """`doorbell` None: the reader looks by itself."""
        self._ring = ring
        self._doorbell = doorbell
        self._line: deque[_Waiting] = deque()
        self._pump: asyncio.Task[None] | None = None

    def send(self, kind: int, tag: bytes, *parts: bytes) -> bool:
        """Write one record and wake the reader if it sleeps; False when there is no room now.

        Small records pass those that wait in `send_all`; not in a journal, where a large record needs much room at once
        and would starve. A record larger than the ring is False too: `send_all` cuts it up; but RecordTooLarge in a
        journal, where it cannot be (`Ring.largest`).
        """
        if self._line and self._ring.journal:
            return False
        try:
            if not self._ring.try_write(kind, tag, *parts):
                return False
        except RecordTooLarge:
            if self._ring.journal:
                raise
            return False
        self._wake()
        return True

    async def send_all(self, kind: int, tag: bytes, payload: bytes) -> None:
        """Write one record of any size up to the limit, waiting for room; in the order of the calls.

        Cancelled before its turn, nothing is written; once it has begun, it is written to its end all the same, because
        half a record would stay with the reader. RecordTooLarge when it can never fit, RingCorrupt when the ring is.
        """
        limit = self._ring.largest if self._ring.journal else MAX_RECORD_BYTES
        if len(payload) > limit:
            raise RecordTooLarge(f"a record of {len(payload)} bytes is larger than the limit of {limit}")
        if not self._line and self._goes_whole(payload) and self.send(kind, tag, payload):
            return
        waiting = _Waiting(kind, tag, payload)
        self._line.append(waiting)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._send_waiting())
        await waiting.done

    async def close(self) -> None:
        """Give up what still waits; those who wait for it are cancelled. The ring itself stays open."""
        pump = self._pump
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        self._give_up()

    def _wake(self) -> None:
        if self._ring.reader_sleeps() and self._doorbell is not None:
            self._doorbell.ring()

    def _goes_whole(self, payload: bytes) -> bool:
        return self._ring.journal or len(payload) <= self._ring.share

    async def _send_waiting(self) -> None:
        wait = FIRST_WAIT_S
        try:
            while self._line:
                first = self._line[0]
                if first.done.cancelled() and not first.sent:
                    self._line.popleft()
                elif self._advance(first):
                    wait = FIRST_WAIT_S
                else:
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, LONGEST_WAIT_S)
        except RingCorrupt as error:
            for waiting in self._line:
                waiting.settle(error)
        finally:
            self._give_up()

    def _give_up(self) -> None:
        self._pump = None
        for waiting in self._line:
            waiting.done.cancel()
        self._line.clear()

    def _advance(self, first: _Waiting) -> bool:
        """Write the next piece of the first in line; False when there is no room for it."""
        try:
            if not self._write(first):
                return False
        except ValueError as error:
            self._line.popleft()
            first.settle(error)
            return True
        self._wake()
        if first.sent == len(first.payload):
            self._line.popleft()
            first.settle(None)
        return True

    def _write(self, first: _Waiting) -> bool:
        if self._goes_whole(first.payload):
            if not self._ring.try_write(first.kind, first.tag, first.payload):
                return False
            first.sent = len(first.payload)
            return True
        # Half of the ring stays free of large records, so that small ones find room between the fragments.
        written = self._ring.write_fragment(first.kind, first.tag, first.payload, first.sent, self._ring.capacity // 2)
        first.sent += written
        return written > 0


class _Waiting:
    """A record in line, and how much of it is sent."""

    __slots__ = ("done", "kind", "payload", "sent", "tag")

    def __init__(self, kind: int, tag: bytes, payload: bytes) -> None:
        self.kind = kind
        self.tag = tag
        self.payload = payload
        self.sent = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Receiver(Generic[R]):
    """The reading end: calls `on_records` with each batch, on the loop."""

    def __init__(
        self,
        ring: Ring,
        doorbell: Doorbell,
        loop: asyncio.AbstractEventLoop,
        on_records: Callable[[list[R]], None],
        *,
        read: Readable[R] | None = None,
        on_corrupt: Callable[[RingCorrupt], None] | None = None,
    ) -> None:
        """`read`: `ring.read_with_positions` for a journal. `on_corrupt`: called once, after the receiver has stopped.

        Without it, the loop's exception handler is told. What `on_records` raises goes there too, and reading goes on.
        """
        self._ring = ring
        self._doorbell = doorbell
        self._loop = loop
        self._on_records: Callable[[list[R]], None] = on_records
        self._read: Readable[R] = read if read is not None else cast(Readable[R], ring.read)
        self._on_corrupt = on_corrupt
        self._running = False
        self._looks = 0
        self._again: asyncio.Handle | None = None

    def start(self) -> None:
        """Begin, with what is already in the ring."""
        self._running = True
        self._loop.add_reader(self._doorbell.fd, self._rung)
        self._again = self._loop.call_soon(self._drain)

    def stop(self) -> None:
        """End; what was not handed out stays in the ring. Stopping twice is allowed."""
        if not self._running:
            return
        self._running = False
        self._loop.remove_reader(self._doorbell.fd)
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._ring.awake()

    def _rung(self) -> None:
        self._doorbell.clear()
        if self._again is None:
            self._drain()

    def _drain(self) -> None:
        self._again = None
        try:
            records = self._read(BATCH)
        except RingCorrupt as error:
            self._fail(error)
            return
        try:
            if records:
                self._on_records(records)
        finally:
            self._looks = LINGER if records else self._looks - 1
            # The callback may have stopped this receiver, or closed the ring after that.
            if self._running and self._again is None and (self._looks > 0 or not self._ring.prepare_sleep()):
                self._again = self._loop.call_soon(self._drain)

    def _fail(self, error: RingCorrupt) -> None:
        self.stop()
        if self._on_corrupt is not None:
            self._on_corrupt(error)
        else:
            self._loop.call_exception_handler({"message": "a shared memory ring is corrupt", "exception": error})


__all__: Sequence[str] = ("BATCH", "Positioned", "Receiver", "Record", "Sender")
