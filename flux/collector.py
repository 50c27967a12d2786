"""Python's cyclic garbage collector, set for long-lived processes that make many short-lived objects without cycles."""

from __future__ import annotations

import ctypes
import gc

# A request leaves a few hundred objects; the default (700) would scan several times during one.
YOUNG_OBJECTS = 20_000


def settle() -> None:
    """Call once everything that stays is loaded: it is not scanned any more, and scans become rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
    _give_back()


def _give_back() -> None:
    """Returns what the start freed to the system; only glibc keeps it and has this call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
