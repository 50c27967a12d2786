"""A server that stalls once, under a closed and under an open loop of one connection.

Only lower bounds are asserted, and they follow from arithmetic: what was due early in the stall cannot have been
answered before its end. A slower machine makes them larger, never smaller.
"""

from __future__ import annotations

from loadtest.client import closed_loop, open_loop
from loadtest.scenario import Stream

from .servers import Behaviour, serving

STALL_S = 0.4
STALLS_AT = 20
RATE = 500.0
STALL_ONCE = Behaviour(stall_s=lambda number: STALL_S if number == STALLS_AT else 0.0)


async def test_the_open_loop_counts_every_request_that_a_stall_delayed() -> None:
    async with serving(STALL_ONCE) as seen:
        tally = await open_loop(seen.address, Stream("hello", "run"), connections=1, seconds=1, rate=RATE)
    assert (tally.requests, seen.requests) == (RATE, RATE)
    assert seen.during_stall == 0, "nothing was sent while the only connection waited"
    # Half of what was due during the stall waited for at least half of it: 100 requests of 500. The one before the last
    # of them is beyond the 80th percentile.
    due_in_first_half = int(RATE * STALL_S / 2)
    slowest_share = 100 * (1 - (due_in_first_half - 1) / tally.requests)
    assert tally.latencies.percentile(slowest_share) >= STALL_S / 2 * 1e6


async def test_the_closed_loop_leaves_them_out() -> None:
    async with serving(STALL_ONCE) as seen:
        tally = await closed_loop(seen.address, Stream("hello", "run"), connections=1, seconds=30, requests=100)
    assert (tally.requests, seen.requests) == (100, 100)
    assert seen.during_stall == 0
    # One sample in a hundred knows of the stall, though 200 requests would have been due in it at the rate above.
    assert tally.latencies.maximum_us >= STALL_S * 1e6
    assert tally.latencies.total == 100
