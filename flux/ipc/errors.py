"""What can go wrong with shared memory; part of the tree in `flux/errors.py`."""

from __future__ import annotations

from flux.errors import FluxError, LocalError


class RingCorrupt(FluxError):
    """The shared memory ring holds something that its writer never wrote; its processes must be replaced."""

    code = "RING_CORRUPT"


class RecordTooLarge(FluxError, ValueError):
    """This record can never fit into the ring, however empty."""

    code = "RECORD_TOO_LARGE"


class WireInvalid(FluxError):
    """A message between Flux's own processes does not have the shape that its kind demands."""

    code = "WIRE_INVALID"


class SegmentInvalid(LocalError):
    """This file in shared memory is not a segment of this version of Flux."""

    code = "SEGMENT_INVALID"


class SegmentExists(SegmentInvalid):
    """A segment of this name is already there: recover and unlink it first."""

    code = "SEGMENT_EXISTS"


class SegmentMissing(SegmentInvalid):
    """There is no segment of this name."""

    code = "SEGMENT_MISSING"


class SharedMemoryFull(LocalError):
    """Shared memory is full: enlarge /dev/shm (Docker: --shm-size), or lower `record.ring_bytes` or the workers."""

    code = "SHARED_MEMORY_FULL"
    exit_code = 1
