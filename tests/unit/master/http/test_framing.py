"""Where bodies end, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import FluxError, PayloadTooLarge, RequestError
from flux.master.http.framing import CHUNK_LINE_BYTES, TRAILER_BYTES, ChunkedBody, FixedBody

LIMIT = 1000
NEXT = b"GET /next HTTP/1.1\r\n"


def read(body: FixedBody | ChunkedBody, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """(content, what follows the body). All pieces must be needed but the last."""
    for number, piece in enumerate(pieces):
        used = body.feed(piece)
        if body.done:
            return body.content(), piece[used:] + b"".join(pieces[number + 1 :])
        assert used == len(piece)
    raise AssertionError("the body did not end")


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


def chunked(chunks: list[bytes], trailer: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n" + trailer + b"\r\n"


places = st.lists(st.integers(0, 10_000), max_size=20)


@given(st.binary(max_size=200), places)
def test_a_fixed_body_ends_where_it_said(content: bytes, at: list[int]) -> None:
    assert read(FixedBody(len(content)), cut(content + NEXT, at)) == (content, NEXT)


@given(st.lists(st.binary(max_size=50), max_size=8), places, st.sampled_from([b"", b"x-sum: 1\r\n", b"a:\r\nb: c\r\n"]))
def test_a_chunked_body_ends_with_its_last_chunk(chunks: list[bytes], at: list[int], trailer: bytes) -> None:
    data = chunked(chunks, trailer) + NEXT
    assert read(ChunkedBody(LIMIT), cut(data, at)) == (b"".join(chunks), NEXT)


@given(st.binary(max_size=300), places)
def test_garbage_is_refused_or_waits_however_it_is_cut(data: bytes, at: list[int]) -> None:
    assert outcome([data] if data else []) == outcome(cut(data, at))


def outcome(pieces: list[bytes]) -> str:
    body = ChunkedBody(LIMIT)
    try:
        for piece in pieces:
            body.feed(piece)
            if body.done:
                return "done"
    except FluxError as error:
        return error.code
    return "waits"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"0x5\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b" 5\r\n",
        b"5_0\r\n",
        b"g\r\n",
        b"123456789\r\n",
        b"5\n",
        b"5\rhello",
        b"5;\x00\r\n",
        b"5 x\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\n",
        b"0\r\nx\r\n",
        b"0\r\n: x\r\n",
        b"0\r\nx : y\r\n",
        b"0\r\n folded\r\n",
        b"0\r\nx: \x00\r\n",
        b"1" * CHUNK_LINE_BYTES + b"1",
        b"0\r\nx: " + b"y" * TRAILER_BYTES,
        b"0\r\n" + b"x: yyyyyyyyyyyyyyyyyyyyy\r\n" * TRAILER_BYTES,
    ],
)
def test_malformed_framing(data: bytes) -> None:
    with pytest.raises(RequestError):
        ChunkedBody(LIMIT).feed(data)


@pytest.mark.parametrize("data", [b"5;ext\r\n", b'5;a="b;c"\r\n', b"5 \r\n", b"5\t;x\r\n", b"0005\r\n"])
def test_sizes_that_are_fine(data: bytes) -> None:
    assert read(ChunkedBody(LIMIT), [data + b"hello\r\n0\r\n\r\n"]) == (b"hello", b"")


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "content-length",
        "transfer-encoding",
        "authorization",
        "cookie",
        "x-api-key",
        "content-type",
        "connection",
        "x-request-id",
        "x-forwarded-for",
        "proxy-authorization",
        "if-match",
        "te",
        "trailer",
        "origin",
    ],
)
def test_trailers_that_could_change_the_request_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match=name):
        ChunkedBody(LIMIT).feed(b"0\r\n" + name.title().encode() + b": x\r\n")


def test_the_limit_holds_before_the_bytes_arrive() -> None:
    with pytest.raises(PayloadTooLarge):
        ChunkedBody(LIMIT).feed(b"%x\r\n" % (LIMIT + 1))
    body = ChunkedBody(LIMIT)
    body.feed(b"%x\r\n%b\r\n" % (LIMIT, b"x" * LIMIT))
    with pytest.raises(PayloadTooLarge):
        body.feed(b"1\r\n")
