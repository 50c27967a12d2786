"""Replies are found in the stream wherever the network cut it."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.store.wire.messages import ProtocolViolation, Reader, Reply, close, execute, parse


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    columns = b"".join(
        struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value for value in values
    )
    return message(b"D", struct.pack(">h", len(values)) + columns)


READY = message(b"Z", b"I")
FOUND = message(b"1") + message(b"2") + row(b'{"id":1}', b"ignored") + row(None) + message(b"C", b"SELECT 2\0") + READY
FAILED = message(b"E", b"SERROR\0VERROR\0C23505\0Mduplicate key\0\0") + READY
NOISE = message(b"S", b"TimeZone\0UTC\0") + message(b"N", b"Mhello\0\0")


def as_values(reply: Reply) -> tuple[list[bytes | None], dict[str, str] | None, bytes, bool]:
    return reply.rows, reply.error, reply.tag, reply.parsed


EXPECTED = [
    ([b'{"id":1}', None], None, b"SELECT 2", True),
    ([], {"S": "ERROR", "V": "ERROR", "C": "23505", "M": "duplicate key"}, b"", False),
    ([], None, b"", False),
]


@given(cuts=st.lists(st.integers(0, len(FOUND + NOISE + FAILED + READY))))
def test_replies_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = FOUND + NOISE + FAILED + READY
    edges = sorted({0, len(stream), *cuts})
    reader = Reader()
    replies = [reply for start, end in pairwise(edges) for reply in reader.feed(stream[start:end])]
    assert [as_values(reply) for reply in replies] == EXPECTED
    assert reader.farewell is None


def test_the_servers_last_words() -> None:
    reader = Reader()
    assert reader.feed(message(b"E", b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0")) == []
    assert reader.farewell is not None
    assert reader.farewell["C"] == "57P01"


def test_an_error_on_its_way_is_no_farewell() -> None:
    reader = Reader()
    reader.feed(message(b"E", b"SFEHLER\0VERROR\0C42P01\0Mnope\0\0"))
    assert reader.farewell is None


@pytest.mark.parametrize("length", [0, 3, 2**30 + 1, 2**32 - 1])
def test_a_length_that_cannot_be(length: int) -> None:
    with pytest.raises(ProtocolViolation):
        Reader().feed(b"D" + struct.pack(">I", length))


def test_what_is_sent() -> None:
    assert parse(b"f1", "SELECT $1") == b"P\0\0\0\x13f1\0SELECT $1\0\0\0"
    assert close(b"f1") == b"C\0\0\0\x08Sf1\0S\0\0\0\x04"
    body = b"\0f1\0\0\0\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\0"
    assert execute(b"f1", [b"a", None]) == (
        b"B" + struct.pack(">i", len(body) + 4) + body + b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"
    )
