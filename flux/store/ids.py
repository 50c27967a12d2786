"""IDs that grow with time: an index on them is written at one end, and lists what they name newest first."""

from __future__ import annotations

import os
import time

# Random bytes fetched at once: one system call for many IDs.
_BATCH = 4096
_random = bytearray()
# A child must not make the IDs that its parent is going to make.
os.register_at_fork(after_in_child=_random.clear)


def growing_id() -> str:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, 4096ths of a millisecond, 62 random bits."""
    if len(_random) < 8:
        _random.extend(os.urandom(_BATCH))
    chance = _random[-8:].hex()
    del _random[-8:]
    ms, ns = divmod(time.time_ns(), 1_000_000)
    when = f"{ms:012x}"
    variant = "89ab"[int(chance[0], 16) & 3]
    return f"{when[:8]}-{when[8:]}-7{ns * 4096 // 1_000_000:03x}-{variant}{chance[1:4]}-{chance[4:]}"
