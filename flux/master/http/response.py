"""Responses as bytes: one join per response, everything that repeats rendered before."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

import orjson

from flux.errors import FluxError

JSON_TYPE = b"content-type: application/json\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\ndate: ".encode() for status in range(100, 600)
}
_BODILESS = frozenset((204, 304))
_REQUEST_ID = b"\r\nx-request-id: "
_LINE_END = b"\r\n"
_LENGTHS = tuple(f"content-length: {length}\r\n".encode() for length in range(1024))
_CHUNKED = b"transfer-encoding: chunked\r\n"
_KEEP, _KEEP10, _CLOSE = b"\r\n", b"connection: keep-alive\r\n\r\n", b"connection: close\r\n\r\n"


class Date:
    """The Date header's value, rendered once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def at(self, wall_s: int) -> bytes:
        if wall_s != self._second:
            self._second = wall_s
            self._text = formatdate(wall_s, usegmt=True).encode()
        return self._text


def render(
    status: int,
    headers: bytes,
    body: bytes | None,
    *,
    date: bytes,
    request_id: str,
    keep_alive: bool,
    http10: bool,
    head_only: bool,
) -> bytes:
    """One whole response. `headers` are finished lines; `body` None is the start of a stream.

    A response to HEAD bears the length that GET's would have; 204 and 304 have neither body nor length.
    """
    if body is None:
        length = b"" if http10 else _CHUNKED
        body = b""
    elif status in _BODILESS:
        length = body = b""
    else:
        size = len(body)
        length = _LENGTHS[size] if size < len(_LENGTHS) else f"content-length: {size}\r\n".encode()
    return b"".join(
        (
            _STATUS_LINES[status],
            date,
            _REQUEST_ID,
            request_id.encode(),
            _LINE_END,
            headers,
            length,
            (_KEEP10 if http10 else _KEEP) if keep_alive else _CLOSE,
            b"" if head_only else body,
        )
    )


def error_body(error: FluxError, request_id: str) -> bytes:
    """The one error shape."""
    return orjson.dumps(error.body(request_id), default=str)
