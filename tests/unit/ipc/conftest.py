"""Rings on private memory: both ends in one process, so that every interleaving can be chosen.

The memory lies between two pages that nobody may touch: a ring that reads or writes one byte outside ends the tests.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterator

import pytest

from flux.ipc._ring import CONTROL_BYTES, Ring

Ends = tuple[Ring, Ring, memoryview]
MakeEnds = Callable[..., Ends]

_PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def guarded(size: int) -> memoryview:
    """`size` bytes (whole pages) with a guard page on either side."""
    memory = mmap.mmap(-1, size + 2 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (first, first + mmap.PAGESIZE + size):
        if _libc.mprotect(guard, mmap.PAGESIZE, _PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    return memoryview(memory)[mmap.PAGESIZE : mmap.PAGESIZE + size]


def make_ends(capacity: int = 4096, *, journal: bool = False) -> Ends:
    """(writer, reader, their memory); the ring begins at 0."""
    memory = guarded(CONTROL_BYTES + max(capacity, mmap.PAGESIZE))
    return Ring.create(memory, 0, capacity, journal=journal), Ring.open(memory, 0), memory


@pytest.fixture
def ends() -> Iterator[MakeEnds]:
    """`make_ends` whose rings are closed after the test."""
    made: list[Ends] = []

    def make(capacity: int = 4096, *, journal: bool = False) -> Ends:
        made.append(make_ends(capacity, journal=journal))
        return made[-1]

    yield make
    for writer, reader, memory in made:
        writer.close()
        reader.close()
        memory.release()
