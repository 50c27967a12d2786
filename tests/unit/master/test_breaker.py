"""Replacements of workers that do not start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flux.master.breaker import BREAKER, BREAKER_PAUSE_S, FIRST_DELAY_S, LONGEST_DELAY_S, Breaker, delay_s


def test_delays_grow_up_to_the_pause() -> None:
    delays = [delay_s(failures) for failures in range(BREAKER + 2)]
    assert delays[:4] == [0.0, 0.0, FIRST_DELAY_S, 2 * FIRST_DELAY_S]
    assert delays == sorted(delays)
    assert delays[BREAKER - 1] == LONGEST_DELAY_S
    assert delays[BREAKER:] == [BREAKER_PAUSE_S] * 2


@given(st.lists(st.booleans(), min_size=1))
def test_only_failed_starts_in_a_row_count(deaths: list[bool]) -> None:
    breaker = Breaker()
    counts = [breaker.died(1, failed_start=failed) for failed in deaths]
    in_a_row = 0
    for failed, count in zip(deaths, counts, strict=True):
        in_a_row = in_a_row + 1 if failed else 0
        assert count == in_a_row


def test_each_index_has_its_own_count() -> None:
    breaker = Breaker()
    breaker.died(1, failed_start=True)
    assert breaker.died(2, failed_start=True) == 1
    assert breaker.died(1, failed_start=True) == 2
