"""Latencies, recorded as HdrHistogram does: log-linear buckets, bounded memory, bounded relative error.

Values are whole microseconds. Below 2,048 µs each value has a bucket of its own; above, every power of two is cut into
1,024 buckets, so that no percentile is off by more than 0.1 %. Histograms of several rounds add up without loss, which
lists of percentiles do not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

# Bits of a value that are kept: 11 bits are 1,024 buckets a power of two, hence a relative error below 1/1,024.
PRECISION_BITS = 11
_HALF = 1 << (PRECISION_BITS - 1)


def bucket_of(value_us: int) -> int:
    """The index of the bucket that holds `value_us`; indices rise with values and leave no gap."""
    shift = max(0, value_us.bit_length() - PRECISION_BITS)
    return shift * _HALF + (value_us >> shift)


def highest_of(bucket: int) -> int:
    """The greatest value that falls into `bucket`; percentiles report it, so they never flatter."""
    shift = max(0, bucket // _HALF - 1)
    return ((bucket - shift * _HALF + 1) << shift) - 1


class Histogram:
    """Counts of latencies in µs."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.total = 0
        self.maximum_us = 0

    def record(self, value_us: int, count: int = 1) -> None:
        """Adds `count` latencies of `value_us` (>= 0; a clock that steps back by a hair counts as 0)."""
        value_us = max(0, value_us)
        self._counts[bucket_of(value_us)] += count
        self.total += count
        self.maximum_us = max(self.maximum_us, value_us)

    def merge(self, other: Histogram) -> None:
        """Adds everything that `other` holds."""
        self._counts.update(other._counts)
        self.total += other.total
        self.maximum_us = max(self.maximum_us, other.maximum_us)

    def percentile(self, percent: float) -> int:
        """The latency in µs that `percent` of all did not exceed (nearest rank); 0 when nothing was recorded."""
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
        rank = max(1, math.ceil(self.total * percent / 100))
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(highest_of(bucket), self.maximum_us)
        return 0

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int]]) -> Histogram:
        """A histogram of (value in µs, count) pairs."""
        histogram = cls()
        for value_us, count in counts:
            histogram.record(value_us, count)
        return histogram
