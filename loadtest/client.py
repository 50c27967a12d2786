"""The harness's own load generator: closed loop and open loop over keep-alive HTTP/1.1, one request a connection.

Closed loop: each connection sends its next request when the last is answered. It finds what a server can carry, but it
waits when the server stalls, so its percentiles leave out the requests that nobody sent in the meantime.

Open loop: request i is due at `start + i / rate`, whatever the server does, and its latency counts from when it was
due, not from when a connection was free to send it. So a stall shows in every request that it delayed: percentiles that
are correct for coordinated omission. What was due and never sent is an error, recorded with the time it had waited.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import httptools

from .histogram import Histogram
from .scenario import Request, Stream

# A request that took longer counts as an error; longer than any server's own limit of 30 s would hide a hang.
ANSWER_TIMEOUT_S = 20.0

# After the measured time the open loop still sends what is overdue, but no longer than this.
DRAIN_S = 5.0

# A connection that is refused or cut is opened again after this pause, so that a dead server is not hammered.
RECONNECT_PAUSE_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: HTTP status and the server's `x-request-id` (empty when it sent none)."""

    status: int
    request_id: str


@dataclass(kw_only=True)
class Tally:
    """What a run saw. `answered` holds the IDs of the successful requests that must have left a record."""

    latencies: Histogram = field(default_factory=Histogram)
    errors: Counter[str] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)
    requests: int = 0
    recorded: int = 0
    seconds: float = 0.0

    def add(self, request: Request, answer: Answer, latency_us: int) -> None:
        self.latencies.record(latency_us)
        if answer.status != request.expect:
            self.errors[f"status {answer.status}"] += 1
            return
        self.requests += 1
        if request.recorded:
            self.recorded += 1
            if answer.request_id:
                self.answered.append(answer.request_id)


class Connection(asyncio.Protocol):
    """One connection with at most one request in flight. `exchange` raises OSError when the connection is gone."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._request_id = ""

    async def exchange(self, raw: bytes) -> Answer:
        """Sends one encoded request and waits for the whole answer, ANSWER_TIMEOUT_S at most (TimeoutError)."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the server closed the connection")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self._waiter

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports have the methods of WriteTransport, but not the class.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError("the connection was cut before the answer"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(ConnectionError(f"not an HTTP answer: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-id":
            self._request_id = value.decode("latin-1")

    def on_message_complete(self) -> None:
        answer = Answer(status=self._parser.get_status_code(), request_id=self._request_id)
        # llhttp parses one answer after the other; the ID must not leak into the next one.
        self._request_id = ""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)


class _Caller:
    """One of the N callers of a run: owns a connection, reopens it when it is cut, and books every outcome."""

    def __init__(self, address: tuple[str, int], stream: Stream, tally: Tally) -> None:
        self._address = address
        self._host = f"{address[0]}:{address[1]}" if ":" not in address[0] else f"[{address[0]}]:{address[1]}"
        self._stream = stream
        self._tally = tally
        self._connection: Connection | None = None

    async def call(self, due_ns: int | None = None) -> None:
        """Sends the stream's next request; its latency counts from `due_ns`, or from sending when that is None."""
        request = next(self._stream)
        try:
            if self._connection is None:
                _, self._connection = await asyncio.get_running_loop().create_connection(Connection, *self._address)
            began_ns = time.perf_counter_ns() if due_ns is None else due_ns
            answer = await self._connection.exchange(request.encode(self._host))
        except (OSError, TimeoutError) as error:
            self._tally.errors["timeout" if isinstance(error, TimeoutError) else "connection"] += 1
            self.close()
            await asyncio.sleep(RECONNECT_PAUSE_S)
            return
        self._tally.add(request, answer, (time.perf_counter_ns() - began_ns) // 1000)
        if request.recorded and answer.request_id:
            self._stream.answered(answer.request_id)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def closed_loop(
    address: tuple[str, int],
    stream: Stream,
    *,
    connections: int,
    seconds: float,
    requests: int | None = None,
    stop: asyncio.Event | None = None,
) -> Tally:
    """Runs until `seconds` have passed, `requests` were sent, or `stop` is set; waits for what is still in flight."""
    tally = Tally()
    numbers = count() if requests is None else iter(range(requests))
    began = time.perf_counter()

    async def run(caller: _Caller) -> None:
        for _ in numbers:
            if time.perf_counter() - began >= seconds or (stop is not None and stop.is_set()):
                return
            await caller.call()

    await _run_all(run, [_Caller(address, stream, tally) for _ in range(connections)])
    tally.seconds = time.perf_counter() - began
    return tally


async def open_loop(
    address: tuple[str, int], stream: Stream, *, connections: int, seconds: float, rate: float
) -> Tally:
    """Sends `rate * seconds` requests at a constant rate (requests/s), on whichever of the connections is free."""
    tally = Tally()
    numbers = iter(range(max(1, round(rate * seconds))))
    start_ns = time.perf_counter_ns()
    last_ns = start_ns + round((seconds + DRAIN_S) * 1e9)

    async def run(caller: _Caller) -> None:
        for number in numbers:
            due_ns = start_ns + round(number * 1e9 / rate)
            await _until(due_ns)
            if time.perf_counter_ns() > last_ns:
                tally.errors["never sent"] += 1
                tally.latencies.record((last_ns - due_ns) // 1000)
            else:
                await caller.call(due_ns)

    await _run_all(run, [_Caller(address, stream, tally) for _ in range(connections)])
    tally.seconds = max(seconds, (time.perf_counter_ns() - start_ns) / 1e9)
    return tally


async def _until(due_ns: int) -> None:
    """Returns at `due_ns` (time.perf_counter_ns) or as soon after as the loop's timers allow, never before."""
    while (early_ns := due_ns - time.perf_counter_ns()) > 0:  # noqa: ASYNC110 - a time, not an event, is awaited
        await asyncio.sleep(early_ns / 1e9)


async def _run_all(run: Callable[[_Caller], Coroutine[None, None, None]], callers: Sequence[_Caller]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for caller in callers:
                group.create_task(run(caller))
    finally:
        for caller in callers:
            caller.close()
