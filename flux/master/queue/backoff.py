"""When a failed job runs again."""

from __future__ import annotations

import random

FIRST_S = 1.0
LONGEST_S = 3600.0


def delay_s(attempt: int, chance: random.Random) -> float:
    """Seconds until the next attempt after the `attempt`-th (from 1) failed.

    Doubles from one second to an hour, then shortened by up to half at random, so that jobs which failed together do
    not come back together.
    """
    whole = min(FIRST_S * 2 ** (attempt - 1), LONGEST_S) if attempt < 64 else LONGEST_S
    return whole * (1 - chance.random() / 2)
