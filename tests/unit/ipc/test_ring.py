"""What the ring promises, one promise a test; test_ring_model.py has the interleavings, test_ring_corrupt.py damage."""

from __future__ import annotations

import mmap
import sys

import pytest

from flux.ipc._ring import (
    CONTROL_BYTES,
    HEADER_BYTES,
    MAX_INCOMPLETE,
    MAX_PARTS,
    Ring,
)
from flux.ipc.errors import RecordTooLarge, RingCorrupt

from .conftest import MakeEnds

TAG = bytes(range(16))
OTHER = b"o" * 16


def test_a_record_comes_out_as_it_went_in(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    assert writer.try_write(255, TAG, b"head", b"", memoryview(b"body"))
    assert reader.read(10) == [(255, TAG, b"headbody")]
    assert reader.read(10) == []


def test_a_record_may_be_empty(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    assert writer.try_write(0, TAG)
    assert writer.tail == HEADER_BYTES
    assert reader.read(1) == [(0, TAG, b"")]


def test_order_is_kept_and_limit_is_heeded(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    for index in range(5):
        assert writer.try_write(index, TAG, b"x" * index)
    assert [kind for kind, _, _ in reader.read(2)] == [0, 1]
    assert [kind for kind, _, _ in reader.read(9)] == [2, 3, 4]


def test_a_full_ring_refuses_and_writes_nothing(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    payload = b"x" * 1000
    assert [writer.try_write(1, TAG, payload) for _ in range(5)] == [True] * 4 + [False]
    assert (writer.tail, writer.free) == (4096, 0)
    assert not writer.try_write(1, TAG)
    assert len(reader.read(1)) == 1
    assert writer.free == 1024
    assert writer.try_write(1, TAG, payload)
    assert reader.read(10) == [(1, TAG, payload)] * 4


def test_records_wrap_at_every_offset(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    for index in range(4096 // 8 * 3):
        payload = index.to_bytes(4, "big") * (index % 50)
        assert writer.try_write(1, TAG, payload)
        assert reader.read(1) == [(1, TAG, payload)]
    assert writer.tail > 3 * 4096


@pytest.mark.parametrize("journal", [False, True])
def test_a_large_record_is_cut_and_joined(ends: MakeEnds, journal: bool) -> None:
    writer, reader, _ = ends(journal=journal)
    payload = bytes(range(256)) * 16
    payload = payload[: writer.largest]
    assert writer.try_write(7, TAG, payload[:100], payload[100:101], payload[101:])
    assert reader.read_with_positions(1) == [(7, TAG, payload, writer.tail)]


@pytest.mark.parametrize("journal", [False, True])
def test_a_record_that_never_fits_is_an_error(ends: MakeEnds, journal: bool) -> None:
    writer, _, _ = ends(journal=journal)
    with pytest.raises(RecordTooLarge, match="never fits"):
        writer.try_write(1, TAG, bytes(writer.largest + 1))
    assert writer.tail == 0


def test_misuse_by_the_writer(ends: MakeEnds) -> None:
    writer, _, _ = ends()
    with pytest.raises(ValueError, match="16 bytes"):
        writer.try_write(1, b"short", b"")
    with pytest.raises(ValueError, match="0 to 255"):
        writer.try_write(256, TAG, b"")
    with pytest.raises(ValueError, match="parts"):
        writer.try_write(1, TAG, *[b""] * (MAX_PARTS + 1))
    with pytest.raises(TypeError):
        writer.try_write(1, TAG, b"fine", "text")  # type: ignore[arg-type]  # that is the point
    assert writer.try_write(1, TAG, *[b"a"] * MAX_PARTS)


def test_misuse_by_the_reader(ends: MakeEnds) -> None:
    _, reader, _ = ends()
    with pytest.raises(ValueError, match="cannot read"):
        reader.read(0)
    with pytest.raises(ValueError, match="only a journal"):
        reader.release(0)


def test_the_parts_buffers_are_let_go(ends: MakeEnds) -> None:
    writer, reader, _ = ends()
    released = bytearray(b"abc")
    assert writer.try_write(1, TAG, released)
    released += b"d"  # would be a BufferError if the ring had kept the buffer
    assert reader.read(1) == [(1, TAG, b"abc")]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python code cannot offer a buffer before 3.12")
def test_a_buffers_owner_cannot_come_back_in(ends: MakeEnds) -> None:
    writer, _, _ = ends()

    class Meddler:
        def __buffer__(self, flags: int) -> memoryview:
            with pytest.raises(RuntimeError, match="under way"):
                writer.try_write(1, TAG)
            with pytest.raises(RuntimeError, match="under way"):
                writer.close()
            return memoryview(b"abc")

    assert writer.try_write(1, TAG, Meddler())
    assert writer.tail == HEADER_BYTES + 8


class TestFragments:
    def test_a_record_larger_than_the_ring_passes_piece_by_piece(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        payload = bytes(index % 251 for index in range(20_000))
        sent = 0
        got: list[tuple[int, bytes, bytes]] = []
        while sent < len(payload):
            written = writer.write_fragment(3, TAG, payload, sent)
            sent += written
            if not written:
                got += reader.read(100)
        assert got == []
        assert reader.incomplete()[0][:2] == (3, TAG)
        assert reader.read(100) == [(3, TAG, payload)]
        assert reader.incomplete() == []

    def test_small_records_and_other_large_ones_pass_in_between(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        one, two = b"1" * 2000, b"2" * 1500
        first = writer.write_fragment(1, TAG, one, 0)
        assert writer.try_write(9, TAG, b"small")
        second = writer.write_fragment(1, OTHER, two, 0)
        assert reader.read(10) == [(9, TAG, b"small")]
        assert writer.write_fragment(1, OTHER, two, second) == 1500 - second
        assert writer.write_fragment(1, TAG, one, first) == 2000 - first
        assert reader.read(10) == [(1, OTHER, two), (1, TAG, one)]

    def test_reserve_keeps_room(self, ends: MakeEnds) -> None:
        writer, _, _ = ends()
        payload = bytes(10_000)
        assert writer.write_fragment(1, TAG, payload, 0, 2048) == writer.share
        assert writer.write_fragment(1, TAG, payload, writer.share, 2048) == writer.share
        assert writer.write_fragment(1, TAG, payload, 2 * writer.share, 2048) == 0
        assert writer.free == 2048

    def test_a_dead_writers_half_record_is_listed_and_dropped(self, ends: MakeEnds) -> None:
        writer, reader, memory = ends()
        assert writer.try_write(2, OTHER, b"before")
        start = writer.tail
        written = writer.write_fragment(1, TAG, bytes(3000), 0)
        writer.close()
        assert reader.read(10) == [(2, OTHER, b"before")]
        assert reader.incomplete() == [(1, TAG, written, start)]
        assert reader.drop_incomplete() == 1
        successor = Ring.open(memory, 0)
        assert successor.try_write(1, TAG, b"again")
        assert reader.read(10) == [(1, TAG, b"again")]
        successor.close()

    def test_a_new_writer_begins_the_same_record_again(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        assert writer.write_fragment(1, TAG, b"old" * 1000, 0)
        assert writer.try_write(1, TAG, b"new" * 500)
        assert reader.read(10) == [(1, TAG, b"new" * 500)]

    def test_a_new_reader_skips_what_it_cannot_join(self, ends: MakeEnds) -> None:
        writer, reader, memory = ends()
        payload = bytes(1500)
        first = writer.write_fragment(1, TAG, payload, 0)
        assert reader.read(10) == []
        assert writer.write_fragment(1, TAG, payload, first)
        assert writer.try_write(2, TAG, b"next")
        successor = Ring.open(memory, 0)
        assert successor.read(10) == [(2, TAG, b"next")]
        assert successor.orphans == 1
        successor.close()

    def test_unfinished_records_are_bounded(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        payload = bytes(3000)
        for index in range(MAX_INCOMPLETE):
            assert writer.write_fragment(1, index.to_bytes(16, "big"), payload, 0)
            assert reader.read(1) == []
        assert writer.write_fragment(1, TAG, payload, 0)
        with pytest.raises(RingCorrupt, match="not finished"):
            reader.read(1)

    def test_misuse(self, ends: MakeEnds) -> None:
        writer, _, _ = ends()
        with pytest.raises(ValueError, match="no fragment begins"):
            writer.write_fragment(1, TAG, b"abc", 3)
        with pytest.raises(ValueError, match="no fragment begins"):
            writer.write_fragment(1, TAG, b"", 0)
        journal, _, _ = ends(journal=True)
        with pytest.raises(ValueError, match="whole records"):
            journal.write_fragment(1, TAG, b"abc", 0)


class TestJournal:
    def test_space_comes_back_by_release_only(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends(journal=True)
        for _ in range(4):
            assert writer.try_write(1, TAG, bytes(1000))
        got = reader.read_with_positions(10)
        assert [position for _, _, _, position in got] == [1024, 2048, 3072, 4096]
        assert (reader.taken, reader.durable, writer.free) == (4096, 0, 0)
        reader.release(2048)
        assert (reader.durable, writer.free) == (2048, 2048)
        assert writer.try_write(1, TAG, bytes(1000))

    def test_rewind_reads_again_what_was_not_released(self, ends: MakeEnds) -> None:
        writer, reader, memory = ends(journal=True)
        for index in range(4):
            assert writer.try_write(index, TAG, bytes(index))
        got = reader.read_with_positions(3)
        reader.release(got[1][3])
        reader.close()
        successor = Ring.open(memory, 0)
        assert [kind for kind, _, _ in successor.read(10)] == [3]
        successor.rewind()
        assert [kind for kind, _, _ in successor.read(10)] == [2, 3]
        successor.close()

    def test_a_large_record_is_freed_as_a_whole_and_found_again_as_a_whole(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends(journal=True)
        large = bytes(index % 251 for index in range(writer.largest))
        assert writer.try_write(1, TAG, large)
        assert reader.read(10) == [(1, TAG, large)]
        reader.rewind()
        ((_, _, payload, end),) = reader.read_with_positions(10)
        assert payload == large
        with pytest.raises(ValueError, match="inside a record"):
            reader.release(1024)
        reader.release(end)
        assert writer.free == 4096

    @pytest.mark.parametrize("position", [8, 1023, 4096, 2**64 - 1])
    def test_only_ends_of_taken_records_can_be_released(self, ends: MakeEnds, position: int) -> None:
        writer, reader, _ = ends(journal=True)
        assert writer.try_write(1, TAG, bytes(1000))
        assert writer.try_write(1, TAG, bytes(1000))
        reader.read(1)
        with pytest.raises(ValueError, match="position"):
            reader.release(position)
        with pytest.raises(ValueError, match="position"):
            reader.release(2048)
        reader.release(1024)
        with pytest.raises(ValueError, match="position"):
            reader.release(0)


class TestSleep:
    def test_the_writer_learns_once_that_the_reader_sleeps(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        assert not writer.reader_sleeps()
        assert reader.prepare_sleep()
        assert writer.try_write(1, TAG)
        assert writer.reader_sleeps()
        assert not writer.reader_sleeps()

    def test_a_reader_with_something_to_read_does_not_sleep(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        assert writer.try_write(1, TAG)
        assert not reader.prepare_sleep()
        assert not writer.reader_sleeps()

    def test_awake_takes_it_back(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        assert reader.prepare_sleep()
        reader.awake()
        assert not writer.reader_sleeps()

    def test_a_journal_with_nothing_new_lets_its_reader_sleep(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends(journal=True)
        assert writer.try_write(1, TAG)
        reader.read(1)
        assert reader.prepare_sleep()


class TestMemory:
    @pytest.mark.parametrize("capacity", [0, 1, 2048, 4095, 5000, 2**31])
    def test_capacity_is_a_power_of_two_within_limits(self, capacity: int) -> None:
        with mmap.mmap(-1, CONTROL_BYTES + 8192) as memory, pytest.raises(ValueError, match="power of two"):
            Ring.create(memory, 0, capacity)

    @pytest.mark.parametrize("offset", [1, 64, 128, 2**62])
    def test_the_ring_fits_and_is_aligned(self, offset: int) -> None:
        with mmap.mmap(-1, CONTROL_BYTES + 4096) as memory, pytest.raises(ValueError, match="no room"):
            Ring.create(memory, offset, 4096)

    def test_read_only_memory_is_refused(self) -> None:
        with pytest.raises(BufferError):
            Ring.create(bytes(CONTROL_BYTES + 4096), 0, 4096)

    def test_a_ring_is_made_by_create_or_open(self) -> None:
        with pytest.raises(TypeError, match="create or Ring"):
            Ring()

    def test_memory_cannot_go_away_under_an_open_ring(self, ends: MakeEnds) -> None:
        _, _, memory = ends()
        with pytest.raises(BufferError):
            memory.release()

    def test_a_closed_ring_says_so(self, ends: MakeEnds) -> None:
        writer, reader, _ = ends()
        writer.close()
        writer.close()
        reader.close()
        with pytest.raises(ValueError, match="closed"):
            writer.try_write(1, TAG)
        with pytest.raises(ValueError, match="closed"):
            reader.read(1)
        with pytest.raises(ValueError, match="closed"):
            reader.prepare_sleep()
        with pytest.raises(ValueError, match="closed"):
            _ = writer.free
