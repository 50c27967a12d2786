"""The life of one client connection.

Theory of operation. A connection is in one state at a time and handles one request at a time:

    IDLE ──first byte──▶ HEAD ──head complete──▶ BODY ──body complete──▶ BUSY ──response──▶ IDLE
      │                    │                       │                       │
      │                    └──────refused, with input left unread──────────┴──▶ LINGER ──▶ closed
      └──keep-alive time over──▶ closed

What arrives early (pipelining) waits in `_buffer`; when that is full, the socket is not read. The next head is only
looked at when the response before it is written and the caller reads what it is sent, so one caller can pin no more
memory than one buffer, one request and one response.

Time limits are one number, `deadline`, which the edge's sweep compares with the clock: no timer per connection.

LINGER: closing a socket with unread input makes the kernel send a reset, which can destroy the response on its way. So
after an early refusal only our half is closed, and input is thrown away for a while.

Nothing here knows what a request means; `Front` is told of heads and of complete requests, and answers exchanges.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, Protocol, cast

from flux.errors import FluxError, HeadTooLarge, RequestError, RequestTimeout
from flux.master.http.exchange import Exchange
from flux.master.http.framing import ChunkedBody, FixedBody
from flux.master.http.head import END, Head, HeadReader
from flux.master.http.response import CONTINUE

# What a caller may send ahead while its request is served.
PIPELINE_BYTES = 64 * 1024
# What may still come of the body of a refused request without the connection ending for it.
SKIPPED_BYTES = 64 * 1024
# Input is thrown away for as long as some keeps coming within this time (and at most `body_timeout_s`).
LINGER_S = 2.0


# The states, in the order that `<` relies on. Plain numbers: an Enum's member costs 0.1 µs each time it is named.
IDLE, HEAD, BODY, BUSY, LINGER = range(5)


class Front(Protocol):
    """What stands behind the connections."""

    def opened(self, exchange: Exchange) -> bool:
        """The head is there. True: read the body and call `complete`. False: the exchange is answered already."""

    def complete(self, exchange: Exchange) -> None:
        """The whole request is there. Answer now or later."""

    def refuse(self, exchange: Exchange, error: FluxError) -> None:
        """The request cannot be read on: answer with this error."""

    def overfull(self) -> bytes:
        """The response to a connection that there is no room for."""

    def drain(self) -> None:
        """No requests will follow: end what does not end by itself."""


class Host(Protocol):
    """What a connection needs of the edge that it belongs to."""

    front: Front
    reader: HeadReader
    head_bytes: int
    body_bytes: int
    header_timeout_s: float
    body_timeout_s: float
    keepalive_s: float
    draining: bool

    def admit(self, connection: Connection) -> bool: ...
    def trusted(self, address: str) -> bool: ...
    def forget(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_advancing",
        "_body",
        "_buffer",
        "_can_write",
        "_eof",
        "_exchange",
        "_host",
        "_linger_until",
        "_loop",
        "_reading",
        "_transport",
        "_unsent",
        "_writable",
        "deadline",
        "lost",
        "remote",
        "state",
        "trusted",
    )

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop
        self._transport: asyncio.Transport
        self._buffer = b""
        self._body: FixedBody | ChunkedBody | None = None
        self._exchange: Exchange | None = None
        self._advancing = False
        self._can_write = True
        self._reading = True
        self._eof = False
        self._writable: asyncio.Future[None] | None = None
        self._linger_until = 0.0
        self._unsent = 0
        self.state = IDLE
        self.deadline = math.inf
        self.lost = False
        self.remote = ""
        self.trusted = False

    # -- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer: Any = transport.get_extra_info("peername")
        self.remote = str(peer[0]) if isinstance(peer, tuple) else ""
        self.trusted = self._host.trusted(self.remote)
        self.deadline = self._loop.time() + self._host.header_timeout_s
        if not self._host.admit(self):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.deadline = math.inf
        self._buffer = b""
        self._body = None
        self._wake_writer()
        exchange, self._exchange = self._exchange, None
        if exchange is not None and exchange.on_lost is not None:
            exchange.on_lost()
        self._host.forget(self)

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state == LINGER:
            self.deadline = min(self._loop.time() + LINGER_S, self._linger_until)
            return
        if self._buffer:
            data = self._buffer + data
        if state == BUSY or not self._can_write:
            self._hold(data)
        else:
            self._advance(data, len(self._buffer))

    def eof_received(self) -> bool:
        """The caller sends no more; it may still wait for its response. Nobody does so for a stream without end."""
        self._eof = True
        return self.state == BUSY and (self._exchange is None or self._exchange.on_lost is None)

    def pause_writing(self) -> None:
        self._can_write = False
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._loop.time() + self._host.body_timeout_s

    def resume_writing(self) -> None:
        self._can_write = True
        self._wake_writer()
        if self.state == IDLE:
            self._next()
        elif self.state == BUSY:
            self.deadline = math.inf

    # -- what the edge tells

    def expire(self) -> None:
        """The deadline has passed."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent < self._unsent:
            # A slow reader is fine as long as it reads.
            self._unsent = unsent
            self.deadline = self._loop.time() + self._host.body_timeout_s
        elif not self._can_write or self.state == LINGER:
            self.abort()
        elif self.state == IDLE or (self.state == BODY and self._exchange is None):
            self._close()
        else:
            waited_for = "head" if self.state == HEAD else "body"
            self._refuse(RequestTimeout(f"The request's {waited_for} did not arrive within the time allowed."))

    def last_request(self) -> None:
        """The drain has begun: the response in the making is the last one here."""
        if self._exchange is not None:
            self._exchange.keep_alive = False

    def close_if_idle(self) -> None:
        """Closes unless a request is on its way."""
        if self.state in (IDLE, LINGER):
            self._close()

    def abort(self) -> None:
        self.lost = True
        self._transport.abort()

    # -- what an exchange tells

    def write(self, data: bytes) -> None:
        if not self.lost:
            self._transport.write(data)

    async def write_part(self, data: bytes) -> None:
        """Writes, and waits while the peer does not read. Raises ConnectionResetError when it is gone."""
        if self.lost:
            raise ConnectionResetError("the caller is gone")
        self._transport.write(data)
        if not self._can_write:
            self._writable = self._loop.create_future()
            await self._writable

    def finish(self, exchange: Exchange, data: bytes) -> None:
        """The last bytes of a response: then the next request, or the end of the connection."""
        if self.lost:
            return
        assert exchange is self._exchange, "responses are written in the order of the requests"
        if data:
            self._transport.write(data)
        self._exchange = None
        if not exchange.keep_alive:
            self._leave()
        elif self.state == BUSY:
            self.state = IDLE
            if self._can_write:
                self._next()
        # else: refused before its body was read, which `_read_body` skips

    # -- reading

    def _next(self) -> None:
        """The connection is free: take what is in the buffer, or wait for more."""
        self.deadline = self._loop.time() + self._host.keepalive_s
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if self._buffer and not self._advancing:
            data, self._buffer = self._buffer, b""
            self._advance(data, 0)
        if self._eof and self.state < BUSY and not self._advancing:
            self._close()

    def _hold(self, data: bytes) -> None:
        self._buffer = data
        if len(data) > PIPELINE_BYTES and self._reading and (self.state == BUSY or not self._can_write):
            self._reading = False
            self._transport.pause_reading()

    def _advance(self, data: bytes, seen: int) -> None:
        """Handles as many requests of `data` as get their response at once; the rest waits in the buffer.

        The first `seen` bytes have been searched for the end of a head before.
        """
        self._advancing = True
        try:
            while data and self.state < BUSY and self._can_write and not self.lost:
                used = self._read_body(data) if self.state == BODY else self._read_head(data, seen)
                data = data[used:]
                seen = 0
                if not used:
                    break
            if self.state < LINGER:
                self._hold(data)
        except FluxError as error:
            self._refuse(error)
        finally:
            self._advancing = False

    def _read_head(self, data: bytes, seen: int) -> int:
        """Bytes used; 0 when the head is not complete. Raises RequestError, HeadTooLarge."""
        if data.startswith(b"\r\n"):
            # RFC 9112, 2.2: an empty line before the request line is to be ignored.
            return 2
        limit = self._host.head_bytes
        end = data.find(END, max(0, seen - len(END)), limit)
        if end < 0:
            if len(data) >= limit:
                raise HeadTooLarge(f"The request's head is larger than {limit} bytes (limits.head_bytes).")
            if self.state == IDLE and data != b"\r":
                self.state = HEAD
                self.deadline = self._loop.time() + self._host.header_timeout_s
                self._host.reader.probe(data)
            elif b"\n\n" in data[max(0, seen - 1) :]:
                raise RequestError("The request is not valid HTTP/1.1: lines must end with CR LF.")
            return 0
        end += len(END)
        self._open(self._host.reader.read(data[:end]), len(data) - end)
        return end

    def _open(self, head: Head, available: int) -> None:
        """Starts an exchange. `available` bytes of the input follow the head."""
        exchange = self._exchange = self._exchange_of(head)
        length = head.length
        self.deadline = math.inf
        if self._host.draining or length is None or length > available + SKIPPED_BYTES or head.awaits_continue:
            # Should it be refused before its body is read, the connection ends with the response. A small body that
            # is on its way is skipped instead: many callers send head and body apart.
            exchange.keep_alive = False
        self.state = BODY if length != 0 else BUSY
        self._body = (
            None if length == 0 else ChunkedBody(self._host.body_bytes) if length is None else FixedBody(length)
        )
        if not self._host.front.opened(exchange):
            if self.state == BODY:
                self.deadline = self._loop.time() + self._host.body_timeout_s
            return
        exchange.keep_alive = head.keep_alive and not self._host.draining
        if length == 0:
            self._host.front.complete(exchange)
            return
        self.deadline = self._loop.time() + self._host.body_timeout_s
        if head.awaits_continue and not available:
            self._transport.write(CONTINUE)

    def _exchange_of(self, head: Head | None) -> Exchange:
        return Exchange(self, head, started=time.perf_counter(), started_us=time.time_ns() // 1000)

    def _read_body(self, data: bytes) -> int:
        """Bytes used. Raises RequestError, PayloadTooLarge."""
        body, exchange = self._body, self._exchange
        assert body is not None
        used = body.feed(data)
        if body.done:
            self._body = None
            if exchange is None:
                # The body of a refused request is skipped, and the connection goes on.
                self.state = IDLE
                self.deadline = self._loop.time() + self._host.keepalive_s
                return used
            exchange.body = body.content()
            self.state = BUSY
            self.deadline = math.inf
            self._host.front.complete(exchange)
        return used

    # -- ending

    def _refuse(self, error: FluxError) -> None:
        """Answers what cannot be read on; the connection ends with it."""
        exchange = self._exchange
        if exchange is None:
            exchange = self._exchange = self._exchange_of(None)
        self.state = LINGER
        exchange.keep_alive = False
        if not exchange.responded:
            self._host.front.refuse(exchange, error)

    def _leave(self) -> None:
        """After the last response: at once if the input is read, else lingering."""
        self._buffer = b""
        unread = self.state != BUSY
        if not unread or self._eof:
            self._close()
            return
        self.state = LINGER
        now = self._loop.time()
        self._linger_until = now + self._host.body_timeout_s
        self.deadline = now + LINGER_S
        self._body = None
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _close(self) -> None:
        """Closes when everything is written; the deadline is for a caller that does not read it."""
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._loop.time() + (self._host.body_timeout_s if self._unsent else LINGER_S)
        self.state = LINGER
        self._transport.close()

    def _wake_writer(self) -> None:
        waiter, self._writable = self._writable, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
