from __future__ import annotations

import os
import resource
import stat
import struct
from pathlib import Path

import pytest

from flux.ipc.errors import RingCorrupt, SegmentExists, SegmentInvalid, SegmentMissing, SharedMemoryFull
from flux.ipc.segment import FOLDER, HEADER_BYTES, Segment

from .conftest import MakeSegment

TAG = bytes(16)


def create(name: str) -> Segment:
    return Segment.create(name, request_bytes=4096, result_bytes=8192, journal_bytes=16384)


def test_both_sides_see_the_same_three_rings(prefix: str) -> None:
    ours = create(prefix + "a")
    theirs = Segment.open(prefix + "a")
    assert [ring.capacity for ring in (theirs.requests, theirs.results, theirs.journal)] == [4096, 8192, 16384]
    assert [ring.journal for ring in (theirs.requests, theirs.results, theirs.journal)] == [False, False, True]
    for index, (writer, reader) in enumerate(
        [(ours.requests, theirs.requests), (theirs.results, ours.results), (theirs.journal, ours.journal)]
    ):
        assert writer.try_write(index, TAG, bytes(writer.share))
        assert reader.read(5) == [(index, TAG, bytes(reader.share))]
    assert (ours.creator, ours.peer) == (os.getpid(), 0)
    theirs.join()
    assert ours.peer == os.getpid()
    ours.close()
    theirs.close()


def test_the_file_is_private_and_outlives_its_mappings(prefix: str) -> None:
    first = create(prefix + "a")
    assert first.journal.try_write(5, TAG, b"kept")
    mode = (FOLDER / first.name).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    first.close()
    first.close()
    assert Segment.list(prefix) == [prefix + "a"]
    second = Segment.open(prefix + "a")
    assert second.journal.read(1) == [(5, TAG, b"kept")]
    second.unlink()
    second.unlink()
    assert Segment.list(prefix) == []
    assert second.journal.try_write(5, TAG, b"the memory stays until it is closed")
    second.close()


def test_a_name_is_used_once(make_segment: MakeSegment) -> None:
    made = make_segment()
    with pytest.raises(SegmentExists, match=made.name):
        create(made.name)
    assert Segment.open(made.name).requests.capacity == 65536, "the one that was there is unharmed"


def test_missing(prefix: str) -> None:
    with pytest.raises(SegmentMissing):
        Segment.open(prefix + "a")


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", ".hidden", "a b", "x" * 201, "a\n"])
def test_names_stay_in_their_folder(name: str) -> None:
    with pytest.raises(SegmentInvalid, match="not a name"):
        Segment.open(name)
    with pytest.raises(SegmentInvalid, match="not a name"):
        create(name)


def test_a_file_that_is_no_segment_is_refused(prefix: str) -> None:
    path = FOLDER / (prefix + "a")
    path.touch(0o600)
    with pytest.raises(SegmentInvalid, match="not complete"):
        Segment.open(path.name)
    path.write_bytes(bytes(HEADER_BYTES))
    with pytest.raises(SegmentInvalid, match="not complete, or not"):
        Segment.open(path.name)


def test_a_file_that_others_may_write_is_refused(make_segment: MakeSegment) -> None:
    made = make_segment()
    (FOLDER / made.name).chmod(0o666)
    with pytest.raises(SegmentInvalid, match="private"):
        Segment.open(made.name)


def test_a_link_is_not_followed(prefix: str, tmp_path: Path) -> None:
    (FOLDER / (prefix + "a")).symlink_to(tmp_path / "victim")
    with pytest.raises(SegmentInvalid, match="cannot open"):
        Segment.open(prefix + "a")
    with pytest.raises(SegmentExists):
        create(prefix + "a")


@pytest.mark.parametrize(
    ("offset", "value", "error"),
    [
        (0, b"NOTFLUX!", SegmentInvalid),
        (8, struct.pack("<I", 99), SegmentInvalid),
        (16, struct.pack("<Q", 8192), SegmentInvalid),
        (16, struct.pack("<QQ", 8192, 4096), SegmentInvalid),  # the sum is right, the places are not
        (HEADER_BYTES, bytes(8), RingCorrupt),
        (HEADER_BYTES + 12, struct.pack("<I", 1), SegmentInvalid),  # a journal where there should be none
    ],
)
def test_a_damaged_header_is_refused(prefix: str, offset: int, value: bytes, error: type[Exception]) -> None:
    create(prefix + "a").close()
    with (FOLDER / (prefix + "a")).open("r+b") as file:
        file.seek(offset)
        file.write(value)
    with pytest.raises(error):
        Segment.open(prefix + "a")


def test_a_cut_file_is_refused(make_segment: MakeSegment) -> None:
    made = make_segment()
    made.close()
    os.truncate(FOLDER / made.name, HEADER_BYTES + 4096)
    with pytest.raises(SegmentInvalid, match="not what its header says"):
        Segment.open(made.name)


def test_a_wrong_size_leaves_nothing_behind(prefix: str) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Segment.create(prefix + "a", request_bytes=4096, result_bytes=5000, journal_bytes=4096)
    assert Segment.list(prefix) == []


def test_no_room_is_an_error_and_leaves_nothing_behind(prefix: str) -> None:
    """The kernel refuses the space. A full /dev/shm would do it too, but hurt whoever else uses it during the test."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(SharedMemoryFull, match="--shm-size"):
            create(prefix + "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Segment.list(prefix) == []
