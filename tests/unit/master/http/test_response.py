"""Responses as bytes."""

from __future__ import annotations

import pytest

from flux.errors import RateLimited, ValidationFailed
from flux.master.http.response import Date, error_body, render

IDENTITY = "00000000-0000-4000-8000-000000000000"
HEAD = b"\r\ndate: now\r\nx-request-id: " + IDENTITY.encode() + b"\r\n"


def rendered(status: int, body: bytes | None, **more: bool) -> bytes:
    flags = {"keep_alive": True, "http10": False, "head_only": False, **more}
    return render(status, b"a: b\r\n", body, date=b"now", request_id=IDENTITY, **flags)


@pytest.mark.parametrize(
    ("status", "body", "flags", "expected"),
    [
        (200, b"hi", {}, b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ncontent-length: 2\r\n\r\nhi"),
        (200, b"", {}, b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ncontent-length: 0\r\n\r\n"),
        (299, b"x" * 2000, {}, b"HTTP/1.1 299 " + HEAD + b"a: b\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000),
        (204, b"ignored", {}, b"HTTP/1.1 204 No Content" + HEAD + b"a: b\r\n\r\n"),
        (304, b"", {}, b"HTTP/1.1 304 Not Modified" + HEAD + b"a: b\r\n\r\n"),
        (200, b"hi", {"head_only": True}, b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ncontent-length: 2\r\n\r\n"),
        (
            200,
            b"hi",
            {"keep_alive": False},
            b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
        ),
        (
            200,
            b"hi",
            {"http10": True},
            b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nhi",
        ),
        (200, None, {}, b"HTTP/1.1 200 OK" + HEAD + b"a: b\r\ntransfer-encoding: chunked\r\n\r\n"),
    ],
)
def test_render(status: int, body: bytes | None, flags: dict[str, bool], expected: bytes) -> None:
    assert rendered(status, body, **flags) == expected


def test_the_date_follows_the_clock() -> None:
    date = Date()
    assert date.at(0) == b"Thu, 01 Jan 1970 00:00:00 GMT"
    assert date.at(0) is date.at(0)
    assert date.at(86_400) == b"Fri, 02 Jan 1970 00:00:00 GMT"


def test_the_one_error_shape() -> None:
    assert error_body(RateLimited("slow down"), IDENTITY) == (
        b'{"error":{"code":"RATE_LIMITED","message":"slow down","request_id":"' + IDENTITY.encode() + b'"}}'
    )
    failed = ValidationFailed("no", violations=[{"path": "a", "message": "b"}])
    assert b'"violations":[{"path":"a","message":"b"}]' in error_body(failed, IDENTITY)
