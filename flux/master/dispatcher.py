"""Hands work to workers over shared memory and gives each caller its result.

A lane is one worker process as seen from here: the sending end of its request ring, the receiving end of its result
ring, and what is in flight in it. Work goes to the ready lane with the fewest in flight; past a limit per lane nothing
is queued here: the caller gets 503 at once. When a worker dies, everything in flight on its lane fails at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..errors import Conflict, Overloaded, WorkerDied
from ..ipc.channel import Receiver, Record, Sender
from ..ipc.doorbell import Doorbell
from ..ipc.segment import Segment
from ..ipc.wire import RequestKind, ResultKind, pack_request, unpack_result
from .http.call import Result
from .work import Work

# How long work waits for some worker to be ready, as when the only one is just being replaced.
READY_WAIT_S = 5.0
# How long a body that does not fit may wait for space in the request ring.
SPACE_WAIT_S = 2.0

DRAIN_BATCH = 1024
JSON_BODY = [("content-type", "application/json")]

OnMessage = Callable[["Lane", int, bytes, bytes], None]


@dataclass(slots=True)
class InFlight:
    work: Work
    result: asyncio.Future[Result]


@dataclass(slots=True, eq=False)
class Lane:
    """`accepting` is true between READY and the start of a drain or death."""

    index: int
    generation: int
    segment: Segment
    requests: Sender
    requests_bell: Doorbell
    results_bell: Doorbell
    accepting: bool = False
    in_flight: dict[bytes, InFlight] = field(default_factory=dict)
    receiver: Receiver[Record] | None = None


class Dispatcher:
    """`on_message(lane, kind, tag, payload)` gets what a worker says besides results."""

    def __init__(self, loop: asyncio.AbstractEventLoop, in_flight_limit: int, on_message: OnMessage) -> None:
        self._loop = loop
        self._limit = in_flight_limit
        self._on_message = on_message
        self._some_ready = asyncio.Event()
        self._waiting = 0
        self._sending: set[asyncio.Task[Any]] = set()
        self.lanes: list[Lane] = []

    @property
    def in_flight(self) -> int:
        return sum(len(lane.in_flight) for lane in self.lanes)

    def submit(self, work: Work) -> asyncio.Future[Result]:
        """The result of `work`, in time. Raises Overloaded, or Conflict when its ID is in flight already.

        The future raises Overloaded when no worker became ready, WorkerDied when the one that had it died.
        """
        lane = self._choose()
        if lane is None:
            return self._loop.create_task(self._submit_later(work))
        return self._submit(lane, work)

    def _submit(self, lane: Lane, work: Work) -> asyncio.Future[Result]:
        if any(work.request_id in other.in_flight for other in self.lanes):
            raise Conflict("A request with this x-request-id is being served now.")
        result: asyncio.Future[Result] = self._loop.create_future()
        lane.in_flight[work.request_id] = InFlight(work, result)
        parts = pack_request(work.head, work.body, work.private)
        try:
            sent = lane.requests.send(RequestKind.REQUEST, work.request_id, *parts)
        except ValueError:  # larger than the ring takes in one piece
            sent = False
        if not sent:
            self._sending.add(task := self._loop.create_task(self._send_large(lane, work, parts)))
            task.add_done_callback(self._sending.discard)
        return result

    async def _submit_later(self, work: Work) -> Result:
        return await self._submit(await self._wait_for_lane(), work)

    def attach(self, lane: Lane) -> None:
        """Starts to listen to a worker that has been spawned."""
        lane.receiver = Receiver(
            lane.segment.results, lane.results_bell, self._loop, lambda records: self._on_records(lane, records)
        )
        lane.receiver.start()
        self.lanes.append(lane)

    def ready(self, lane: Lane) -> None:
        lane.accepting = True
        self._some_ready.set()

    def close(self, lane: Lane) -> None:
        """No new work goes to this lane."""
        lane.accepting = False
        if not any(other.accepting for other in self.lanes):
            self._some_ready.clear()

    def lost(self, lane: Lane) -> list[Work]:
        """The lane's worker is gone: delivers what it had answered, fails the rest, and returns that."""
        self.close(lane)
        if lane.receiver is not None:
            lane.receiver.stop()
            while records := lane.segment.results.read(DRAIN_BATCH):
                self._on_records(lane, records)
        self.lanes.remove(lane)
        failed = [entry.work for entry in lane.in_flight.values()]
        for entry in lane.in_flight.values():
            if not entry.result.done():
                entry.result.set_exception(WorkerDied())
        lane.in_flight.clear()
        return failed

    def _choose(self) -> Lane | None:
        best: Lane | None = None
        fewest = self._limit
        for lane in self.lanes:
            if lane.accepting and len(lane.in_flight) < fewest:
                best, fewest = lane, len(lane.in_flight)
        if best is None and any(lane.accepting for lane in self.lanes):
            raise Overloaded
        return best

    async def _wait_for_lane(self) -> Lane:
        if self._waiting >= self._limit:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(READY_WAIT_S):
                while True:
                    await self._some_ready.wait()
                    lane = self._choose()
                    if lane is not None:
                        return lane
        except TimeoutError:
            raise Overloaded("No worker is ready; the server's log says why.") from None
        finally:
            self._waiting -= 1

    async def _send_large(self, lane: Lane, work: Work, parts: tuple[bytes, ...]) -> None:
        try:
            async with asyncio.timeout(SPACE_WAIT_S):
                await lane.requests.send_all(RequestKind.REQUEST, work.request_id, b"".join(parts))
        except TimeoutError:
            entry = lane.in_flight.pop(work.request_id, None)
            if entry is not None and not entry.result.done():
                entry.result.set_exception(Overloaded())

    def _on_records(self, lane: Lane, records: list[tuple[int, bytes, bytes]]) -> None:
        for kind, tag, payload in records:
            if kind == ResultKind.RESULT:
                entry = lane.in_flight.pop(tag, None)
                if entry is not None and not entry.result.done():
                    status, headers, body = unpack_result(payload)
                    entry.result.set_result(Result(status, pairs(headers) if headers else JSON_BODY, body))
            else:
                self._on_message(lane, kind, tag, payload)


def pairs(headers: bytes) -> list[tuple[str, str]]:
    """JSON pairs as header pairs, which are hashed on their way out (`flux.master.http.headers`)."""
    return [(name, value) for name, value in orjson.loads(headers)]
