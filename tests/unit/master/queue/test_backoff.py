"""Delays between attempts."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from flux.master.queue.backoff import FIRST_S, LONGEST_S, delay_s


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_a_delay_is_between_half_and_all_of_its_step(attempt: int, chance: random.Random) -> None:
    whole = min(FIRST_S * 2 ** min(attempt - 1, 64), LONGEST_S)
    assert whole / 2 <= delay_s(attempt, chance) <= whole
