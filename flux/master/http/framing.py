"""Where the body of a request ends. Pure: bytes in, bytes out.

Theory of operation. Two readers of one connection that disagree on where a body ends is request smuggling, so exactly
one piece of code decides it here. aiohttp's parser reads heads only: its own chunk decoding lets header fields of a
trailer through into the head of the *next* request on the connection (seen with 3.14.5), and hides trailers from us.

`feed` takes what has arrived and returns how much of it belongs to this body; what follows is the next request.
Both readers raise RequestError for bad framing and PayloadTooLarge as soon as the count passes the limit.
"""

from __future__ import annotations

import re

from flux.errors import RequestError
from flux.master.gateway.size import too_large

# RFC 9112 lets a sender put extensions behind the size of a chunk; nobody does, so a short line is enough.
CHUNK_LINE_BYTES = 256
TRAILER_BYTES = 4096

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")
# RFC 9110, section 6.5.1: fields for framing, routing, authentication, request modifiers and content handling must not
# come behind the body, where a gateway has acted already.
_FORBIDDEN = re.compile(
    rb"host|content-.*|transfer-encoding|trailer|te|connection|keep-alive|upgrade|expect|range|if-.*|max-forwards"
    rb"|cache-control|pragma|authorization|proxy-.*|cookie|set-cookie|x-api-key|x-request-id|traceparent|tracestate"
    rb"|origin|x-forwarded-.*|forwarded",
    re.IGNORECASE,
)


class FixedBody:
    """A body of a length that was announced (and checked against the limit) before."""

    __slots__ = ("_left", "_parts")

    def __init__(self, length: int) -> None:
        self._left = length
        self._parts: list[bytes] = []

    @property
    def done(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._parts.append(data if taken == len(data) else data[:taken])
        self._left -= taken
        return taken

    def content(self) -> bytes:
        return b"".join(self._parts)


class ChunkedBody:
    """A body in chunks. Each state is the method that takes the next piece of input, or None if it needs more."""

    __slots__ = ("_left", "_limit", "_parts", "_pending", "_step", "_total", "_trailer", "done")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._total = 0
        self._left = 0
        self._trailer = 0
        self._pending = b""
        self._step = self._size_line
        self.done = False

    def feed(self, data: bytes) -> int:
        held = len(self._pending)
        data = self._pending + data if held else data
        at = 0
        while not self.done:
            after = self._step(data, at)
            if after is None:
                self._pending = data[at:]
                return len(data) - held
            at = after
        self._pending = b""
        return at - held

    def content(self) -> bytes:
        return b"".join(self._parts)

    def _line(self, data: bytes, at: int, limit: int, what: str) -> tuple[bytes, int] | None:
        end = data.find(b"\r\n", at, at + limit)
        if end < 0:
            rest = data[at:]
            if len(rest) >= limit or b"\n" in rest or b"\r" in rest[:-1]:
                raise RequestError(f"The chunked body is malformed: {what}.")
            return None
        return data[at:end], end + 2

    def _size_line(self, data: bytes, at: int) -> int | None:
        found = self._line(data, at, CHUNK_LINE_BYTES, "bad line with the size of a chunk")
        if found is None:
            return None
        match = _SIZE_LINE.fullmatch(found[0])
        if match is None:
            raise RequestError("The chunked body is malformed: bad size of a chunk.")
        self._left = int(match[1], 16)
        self._total += self._left
        if self._total > self._limit:
            raise too_large(self._limit)
        self._step = self._data if self._left else self._trailer_line
        return found[1]

    def _data(self, data: bytes, at: int) -> int | None:
        if at == len(data):
            return None
        piece = data[at : at + self._left]
        self._parts.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = self._data_end
        return at + len(piece)

    def _data_end(self, data: bytes, at: int) -> int | None:
        ending = data[at : at + 2]
        if not b"\r\n".startswith(ending):
            raise RequestError("The chunked body is malformed: a chunk is longer than its size says.")
        if len(ending) < 2:
            return None
        self._step = self._size_line
        return at + 2

    def _trailer_line(self, data: bytes, at: int) -> int | None:
        found = self._line(data, at, TRAILER_BYTES, "bad trailer")
        if found is None:
            return None
        line, after = found
        self.done = not line
        self._trailer += len(line)
        if line:
            self._check_trailer(line)
        return after

    def _check_trailer(self, line: bytes) -> None:
        """Trailers are dropped, as RFC 9110 allows; those that could change what the request means are refused."""
        match = _FIELD.fullmatch(line)
        if match is None or self._trailer > TRAILER_BYTES:
            raise RequestError("The chunked body is malformed: bad trailer.")
        if _FORBIDDEN.fullmatch(match[1]):
            raise RequestError(f"The trailer holds {match[1].decode().lower()}, which must come before the body.")
