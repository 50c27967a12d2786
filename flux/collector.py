"""Python's cyclic garbage collector, set for long-lived processes that make many short-lived objects without cycles."""

from __future__ import annotations

import gc

# A request leaves a few hundred objects; the default (700) would scan several times during one.
YOUNG_OBJECTS = 20_000


def settle() -> None:
    """Call once everything that stays is loaded: it is not scanned any more, and scans become rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
