"""Shared memory that someone scribbled on: the ring may refuse it, it may never crash or read beyond its memory.

Guard pages around the ring (conftest.py) end the tests when it reaches outside; the address sanitizer
(tests/sanitize.sh) watches what it does with private memory.
"""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flux.ipc._ring import CONTROL_BYTES, HEADER_BYTES, Ring
from flux.ipc.errors import RingCorrupt

from .conftest import MakeEnds, make_ends

TAG = b"t" * 16
TAIL, TAKEN, DURABLE = 128, 256, 384
CAPACITY = 4096


def put(memory: memoryview, offset: int, value: int, width: str = "<Q") -> None:
    struct.pack_into(width, memory, offset, value)


class TestHeader:
    @pytest.mark.parametrize(
        ("offset", "width", "value", "message"),
        [
            (0, "<Q", 0, "no ring"),
            (8, "<I", 2, "layout version 2"),
            (12, "<I", 2, "unknown flags"),
            (16, "<Q", 4095, "claims a capacity"),
            (16, "<Q", 2048, "claims a capacity"),
            (16, "<Q", 8192, "more than its memory"),
            (16, "<Q", 2**63, "claims a capacity"),
            (TAIL, "<Q", 3, "impossible cursors"),
            (TAIL, "<Q", 4104, "claims to hold 4104"),
            (TAKEN, "<Q", 8, "impossible cursors"),
            (DURABLE, "<Q", 2**64 - 8, "impossible cursors"),
        ],
    )
    def test_open_refuses(self, ends: MakeEnds, offset: int, width: str, value: int, message: str) -> None:
        _, _, memory = ends(CAPACITY)
        put(memory, offset, value, width)
        with pytest.raises(RingCorrupt, match=message):
            Ring.open(memory, 0)

    def test_an_open_ring_does_not_believe_a_new_capacity(self, ends: MakeEnds) -> None:
        writer, reader, memory = ends(CAPACITY)
        put(memory, 16, 2**30)
        assert writer.try_write(1, TAG, bytes(1000))
        assert (writer.capacity, writer.free) == (CAPACITY, CAPACITY - 1024)
        assert reader.read(1) == [(1, TAG, bytes(1000))]


class TestCursors:
    @pytest.mark.parametrize("tail", [4, 2**64 - 8, 8192])
    def test_the_reader_refuses_an_impossible_tail(self, ends: MakeEnds, tail: int) -> None:
        _, reader, memory = ends(CAPACITY)
        put(memory, TAIL, tail)
        with pytest.raises(RingCorrupt):
            reader.read(1)

    @pytest.mark.parametrize("durable", [4, 8, 2**64 - 8])
    def test_the_writer_refuses_an_impossible_durable(self, ends: MakeEnds, durable: int) -> None:
        writer, _, memory = ends(CAPACITY)
        put(memory, DURABLE, durable)
        with pytest.raises(RingCorrupt):
            _ = writer.free
        assert writer.try_write(1, TAG, bytes(1000)), "within the room known before"

    def test_a_tail_inside_a_record_is_noticed(self, ends: MakeEnds) -> None:
        writer, reader, memory = ends(CAPACITY)
        assert writer.try_write(1, TAG, bytes(100))
        put(memory, TAIL, 16)
        with pytest.raises(RingCorrupt, match="cut off"):
            reader.read(1)
        put(memory, TAIL, 48)
        with pytest.raises(RingCorrupt, match="claims 100 bytes"):
            reader.read(1)


@pytest.mark.parametrize("byte", range(HEADER_BYTES))
def test_any_changed_byte_of_a_header_is_noticed(ends: MakeEnds, byte: int) -> None:
    writer, reader, memory = ends(CAPACITY)
    assert writer.try_write(1, TAG, b"good")
    at = CONTROL_BYTES + writer.tail
    assert writer.try_write(1, TAG, b"bad")
    memory[at + byte] ^= 0x41
    assert reader.read(10) == [(1, TAG, b"good")], "what came before is delivered first"
    with pytest.raises(RingCorrupt, match="no record begins"):
        reader.read(10)
    with pytest.raises(RingCorrupt):
        reader.read(10)


def test_old_records_are_not_taken_for_new_ones(ends: MakeEnds) -> None:
    """A tail that points into what an earlier lap left behind: whole records, but of other positions."""
    writer, reader, memory = ends(CAPACITY)
    for _ in range(4):
        assert writer.try_write(1, TAG, bytes(1000))
    assert len(reader.read(4)) == 4
    put(memory, TAIL, writer.tail + 1024)
    with pytest.raises(RingCorrupt, match="no record begins"):
        reader.read(1)


scribbles = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([0, 8, 16, TAIL, TAKEN, DURABLE, 512]), st.integers(0, 2**64 - 1)),
        st.tuples(st.sampled_from([TAIL, TAKEN, DURABLE]), st.integers(0, 2 * CAPACITY // 8).map(lambda n: n * 8)),
        st.tuples(st.integers(CONTROL_BYTES, CONTROL_BYTES + CAPACITY - 8), st.integers(0, 2**64 - 1)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=600, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 1500), max_size=12),
    scribbles=scribbles,
    journal=st.booleans(),
    reopen=st.booleans(),
)
@example(sizes=[100], scribbles=[(TAIL, 2**64 - 8)], journal=True, reopen=False)
def test_scribbled_memory_never_crashes(
    sizes: list[int], scribbles: list[tuple[int, int]], journal: bool, reopen: bool
) -> None:
    writer, reader, memory = make_ends(CAPACITY, journal=journal)
    with memory, contextlib.closing(writer), contextlib.closing(reader):
        for size in sizes:
            writer.try_write(1, TAG, bytes(size))
        for offset, value in scribbles:
            put(memory, offset, value)
        exercise(writer, reader)
        if reopen:
            with contextlib.suppress(RingCorrupt), contextlib.closing(Ring.open(memory, 0)) as again:
                exercise(again, again)


def exercise(writer: Ring, reader: Ring) -> None:
    """Every operation once or more; each may refuse."""
    payload = bytes(range(250)) * 12
    for _ in range(3):
        for step in (
            lambda: reader.read(3),
            lambda: reader.read_with_positions(100),
            lambda: writer.try_write(2, TAG, payload[:900], payload[900:1200]),
            lambda: writer.write_fragment(2, TAG, payload, 0),
            lambda: writer.free,
            lambda: reader.release(reader.taken),
            reader.rewind,
            reader.prepare_sleep,
            writer.reader_sleeps,
            reader.incomplete,
        ):
            with contextlib.suppress(RingCorrupt, ValueError):
                step()
