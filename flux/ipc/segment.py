"""A worker's shared memory: one file in /dev/shm that holds its three rings.

    page 0    header: magic, version, capacities, process IDs
    then      requests ring   master -> worker    plain
              results ring    worker -> master    plain
              journal ring    worker -> master    journal: outlives both processes until it is unlinked

The master creates a segment per worker, and after a crash finds what was left by `Segment.list`.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import stat
import struct
from pathlib import Path

from flux.ipc._ring import CONTROL_BYTES, Ring
from flux.ipc.errors import SegmentExists, SegmentInvalid, SegmentMissing, SharedMemoryFull

FOLDER = Path("/dev/shm")  # noqa: S108  (a RAM file system, and the one place where POSIX shared memory lives on Linux)
HEADER_BYTES = 4096  # one page, so that the rings are aligned to pages

Capacities = tuple[int, int, int]
"""Bytes of the requests, the results and the journal ring."""

_JOURNAL = 2  # its place among them
_MAGIC = b"FLUXSEGM"
_VERSION = 1
# magic, version, padding, capacities of requests, results and journal, creator's and peer's process ID
_HEADER = struct.Struct("<8sI4xQQQqq")
_PEER_AT = _HEADER.size - 8
# A file name that cannot leave the folder, nor be hidden in it.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class Segment:
    """Three rings on one mapping. Close it when done; `unlink` removes the file and with it what the journal held."""

    def __init__(self, name: str, memory: mmap.mmap, requests: Ring, results: Ring, journal: Ring) -> None:
        self.name = name
        self.requests = requests
        self.results = results
        self.journal = journal
        self._memory = memory

    @classmethod
    def create(cls, name: str, *, request_bytes: int, result_bytes: int, journal_bytes: int) -> Segment:
        """Make a new segment; each size is a power of two from 4 KiB to 1 GiB.

        SegmentExists when the name is taken, SharedMemoryFull when /dev/shm cannot hold it.
        """
        path = _path(name)
        capacities = (request_bytes, result_bytes, journal_bytes)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise SegmentExists(f"the shared memory segment {name} is already there") from error
        with contextlib.ExitStack() as undo:
            undo.callback(path.unlink)
            memory = _allocate(fd, _size(capacities))
            undo.callback(memory.close)
            rings: list[Ring] = []
            for offset, capacity in zip(_offsets(capacities), capacities, strict=True):
                rings.append(Ring.create(memory, offset, capacity, journal=len(rings) == _JOURNAL))
                undo.callback(rings[-1].close)
            # Last, so that a file whose creator was killed half-way is recognised as no segment.
            _HEADER.pack_into(memory, 0, _MAGIC, _VERSION, *capacities, os.getpid(), 0)
            undo.pop_all()
        return cls(name, memory, *rings)

    @classmethod
    def open(cls, name: str) -> Segment:
        """Map a segment that is there. SegmentMissing, SegmentInvalid (not ours), RingCorrupt (scribbled on)."""
        with contextlib.ExitStack() as undo:
            memory = _map(name)
            undo.callback(memory.close)
            capacities = _capacities(name, memory)
            rings: list[Ring] = []
            for offset, capacity in zip(_offsets(capacities), capacities, strict=True):
                ring = Ring.open(memory, offset)
                undo.callback(ring.close)
                if ring.capacity != capacity or ring.journal != (len(rings) == _JOURNAL):
                    raise SegmentInvalid(f"the rings of the shared memory segment {name} are not those of its header")
                rings.append(ring)
            undo.pop_all()
        return cls(name, memory, *rings)

    @staticmethod
    def list(prefix: str) -> list[str]:
        """Names of the segments there that begin with `prefix`, sorted; whole or not is for `open` to find out."""
        return sorted(entry.name for entry in os.scandir(FOLDER) if entry.name.startswith(prefix))

    @staticmethod
    def remove(name: str) -> None:
        """Remove a segment's file unopened (half-made, or scribbled on); missing is fine."""
        _path(name).unlink(missing_ok=True)

    @property
    def creator(self) -> int:
        """Process ID of the creator."""
        return int(_HEADER.unpack_from(self._memory)[-2])

    @property
    def peer(self) -> int:
        """Process ID of the other side; 0 before it came."""
        return int(_HEADER.unpack_from(self._memory)[-1])

    def join(self) -> None:
        """Enter the calling process as the peer."""
        struct.pack_into("<q", self._memory, _PEER_AT, os.getpid())

    def close(self) -> None:
        """Unmap. The file stays; closing twice is allowed."""
        for ring in (self.requests, self.results, self.journal):
            ring.close()
        self._memory.close()

    def unlink(self) -> None:
        """Remove the file; whoever has it mapped keeps the memory. Missing is fine."""
        self.remove(self.name)


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise SegmentInvalid(f"{name!r} is not a name for a shared memory segment: letters, digits, '.', '_' and '-'")
    return FOLDER / name


def _allocate(fd: int, size: int) -> mmap.mmap:
    try:
        # Reserves the pages now: otherwise a full /dev/shm is a SIGBUS at some later write.
        os.posix_fallocate(fd, 0, size)
        return mmap.mmap(fd, size)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT, errno.EFBIG):
            raise SharedMemoryFull(
                f"{FOLDER} has no room for {size >> 20} MiB: enlarge it (Docker: --shm-size), "
                "or lower `record.ring_bytes` or the number of workers"
            ) from error
        raise
    finally:
        os.close(fd)


def _map(name: str) -> mmap.mmap:
    try:
        fd = os.open(_path(name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise SegmentMissing(f"there is no shared memory segment {name}") from error
    except OSError as error:
        raise SegmentInvalid(f"cannot open the shared memory segment {name}: {error.strerror}") from error
    try:
        _require_private(name, os.fstat(fd))
        return mmap.mmap(fd, 0)
    finally:
        os.close(fd)


def _size(capacities: Capacities) -> int:
    return HEADER_BYTES + sum(CONTROL_BYTES + capacity for capacity in capacities)


def _offsets(capacities: Capacities) -> tuple[int, int, int]:
    results = HEADER_BYTES + CONTROL_BYTES + capacities[0]
    return HEADER_BYTES, results, results + CONTROL_BYTES + capacities[1]


def _require_private(name: str, found: os.stat_result) -> None:
    # /dev/shm is writable for everybody: a file that someone else put there must not be taken for ours.
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SegmentInvalid(f"the shared memory segment {name} is not a private file of this user")
    if found.st_size < HEADER_BYTES:
        raise SegmentInvalid(f"the shared memory segment {name} is not complete")


def _capacities(name: str, memory: mmap.mmap) -> Capacities:
    magic, version, requests, results, journal, _, _ = _HEADER.unpack_from(memory)
    if magic != _MAGIC:
        raise SegmentInvalid(f"the shared memory segment {name} is not complete, or not Flux's")
    if version != _VERSION:
        raise SegmentInvalid(f"the shared memory segment {name} has version {version}, this Flux knows {_VERSION}")
    if _size((requests, results, journal)) != len(memory):
        raise SegmentInvalid(f"the shared memory segment {name} is {len(memory)} bytes, not what its header says")
    return requests, results, journal
