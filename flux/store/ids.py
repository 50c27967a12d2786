"""IDs that grow with time: an index on them is written at one end, and lists what they name newest first."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM_BITS = 62


def growing_id() -> UUID:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, 4096ths of a millisecond, 62 random bits."""
    ms, ns = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") >> 64 - _RANDOM_BITS
    return UUID(int=ms << 80 | (ns * 4096 // 1_000_000) << 64 | random | _VERSION_AND_VARIANT)
