"""Step 6: a token bucket per tenant.

Theory of operation. A bucket that holds `burst` tokens and gains `rate` a second is the same as one number per caller:
the time at which its bucket will be full again (the generic cell rate algorithm). A request moves that time on by 1 /
rate; it is refused when the bucket could not be full within burst / rate from now. A caller that is not in the table
has a full bucket, so forgetting one whose time has passed changes nothing, and that is what is forgotten first.
"""

from __future__ import annotations

import math
from itertools import islice

from flux.errors import RateLimited

# One entry takes about 200 bytes; beyond this many callers at once the one longest in the table gets a new bucket.
MAX_BUCKETS = 100_000
# Entries looked at for each new one, so that the table is cleaned at the pace at which it grows.
CLEANED_PER_INSERT = 4

Headers = tuple[tuple[str, str], ...]


class TokenBuckets:
    """The buckets of all callers. `now` is in seconds of one monotonic clock."""

    __slots__ = ("_capacity", "_full_at", "_interval", "_limit", "_limit_text", "_window")

    def __init__(self, *, rate: float, burst: int, capacity: int = MAX_BUCKETS) -> None:
        if rate <= 0 or burst < 1 or capacity < 1:
            raise ValueError("rate must be above 0, burst and capacity at least 1")
        self._interval = 1.0 / rate
        self._window = burst / rate
        self._limit = burst
        self._limit_text = ("ratelimit-limit", str(burst))
        self._capacity = capacity
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, bucket: str, now: float) -> Headers:
        """Takes one token; returns the RateLimit headers. Raises RateLimited, bearing them and Retry-After."""
        known = self._full_at.get(bucket)
        full_at = (known if known is not None and known > now else now) + self._interval
        wait = full_at - now - self._window
        if wait > self._interval * 1e-9:
            raise RateLimited(
                headers={
                    "Retry-After": str(max(1, math.ceil(wait))),
                    **dict(self._headers(full_at - self._interval - now)),
                }
            )
        if known is None:
            self._make_room(now)
        self._full_at[bucket] = full_at
        return self._headers(full_at - now)

    def _headers(self, until_full: float) -> Headers:
        # The smallest part of a token absorbs rounding, so that a bucket with one token left says 1.
        remaining = max(0, int(self._limit - until_full / self._interval + 1e-6))
        return (
            self._limit_text,
            ("ratelimit-remaining", str(remaining)),
            ("ratelimit-reset", str(math.ceil(until_full))),
        )

    def _make_room(self, now: float) -> None:
        table = self._full_at
        for bucket in [name for name, full_at in islice(table.items(), CLEANED_PER_INSERT) if full_at <= now]:
            del table[bucket]
        if len(table) >= self._capacity:
            del table[next(iter(table))]
