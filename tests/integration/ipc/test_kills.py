"""kill -9 at random points: what is read is a prefix of what was written, whole, and a successor goes on.

The random points are points in the stream (so many records read, then the kill lands wherever the victim is by then).
"""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator

from flux.ipc._ring import Ring
from flux.ipc.segment import Segment

from .conftest import MakeSegment, StartPeer
from .peer import record

WRITER_KILLS = 60  # per kind of ring; each costs the start of a Python process, some 70 ms
READER_KILLS = 60
CAPACITY = 65536


def kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, "the victim must be alive until it is killed"
    process.kill()
    assert process.wait() == -signal.SIGKILL


def checked(ring: Ring, seed: int, index: int, largest: int, limit: int) -> int:
    """Read up to `limit` records and compare them with the stream from `index` on; returns the next index."""
    for kind, tag, payload, end in ring.read_with_positions(limit):
        assert (kind, tag, payload) == record(seed, index, largest)
        index += 1
        if ring.journal:
            ring.release(end)
    return index


def rounds(count: int) -> Iterator[tuple[int, random.Random]]:
    for seed in range(count):
        yield seed, random.Random(seed)


def test_a_killed_writer_leaves_a_prefix_in_a_plain_ring(make_segment: MakeSegment, start_peer: StartPeer) -> None:
    unfinished = 0
    for seed, chance in rounds(WRITER_KILLS):
        segment = make_segment(CAPACITY)
        writer = start_peer("write_plain", segment.name, seed)
        index, wanted = 0, chance.randrange(1, 500)
        while index < wanted:
            index = checked(segment.results, seed, index, CAPACITY, chance.randrange(1, 50))
        kill(writer)
        while segment.results.tail != segment.results.taken:
            index = checked(segment.results, seed, index, CAPACITY, 50)
        half_written = segment.results.incomplete()
        assert [tag for _, tag, _, _ in half_written] in ([], [index.to_bytes(16, "big")])
        unfinished += segment.results.drop_incomplete()
        goes_on(segment.results)
    # Large records are most of the bytes, so some kill must have hit one; else this test tests less than it says.
    assert unfinished > 0


def test_a_killed_writer_leaves_a_prefix_in_a_journal(make_segment: MakeSegment, start_peer: StartPeer) -> None:
    for seed, chance in rounds(WRITER_KILLS):
        segment = make_segment(CAPACITY)
        writer = start_peer("write_journal", segment.name, seed)
        index, wanted = 0, chance.randrange(1, 500)
        while index < wanted:
            index = checked(segment.journal, seed, index, segment.journal.largest, chance.randrange(1, 50))
        kill(writer)
        segment.close()  # the reader's process is gone too, in effect: recovery opens the file anew
        found = Segment.open(segment.name)
        found.journal.rewind()
        while found.journal.tail != found.journal.taken:
            index = checked(found.journal, seed, index, found.journal.largest, 50)
        assert found.journal.incomplete() == []
        goes_on(found.journal)
        found.close()


def goes_on(ring: Ring) -> None:
    assert ring.try_write(1, bytes(16), b"the writer's successor")
    assert ring.read(1) == [(1, bytes(16), b"the writer's successor")]


def test_a_killed_reader_loses_nothing(make_segment: MakeSegment, start_peer: StartPeer) -> None:
    for seed, chance in rounds(READER_KILLS):
        segment = make_segment(CAPACITY)
        largest = segment.journal.largest
        ends = {0: 0}  # position -> index of the record that begins there
        reader = start_peer("read_journal", segment.name, seed)
        written, wanted = 0, chance.randrange(20, 800)
        while written < wanted:
            assert reader.poll() is None, "the reader found a record that was not written"
            if segment.journal.try_write(*record(seed, written, largest)):
                written += 1
                ends[segment.journal.tail] = written
        kill(reader)
        successor = Segment.open(segment.name).journal
        index = ends[successor.durable]  # KeyError: not the end of a record
        successor.rewind()
        while successor.tail != successor.taken:
            index = checked(successor, seed, index, largest, 50)
        assert index == written
