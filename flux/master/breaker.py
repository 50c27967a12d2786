"""How long the replacement of a dead worker waits.

A failed start is the death of a worker that was not ready, or had only just become so. Replacements after failed starts
in a row wait with growing delays, and after `BREAKER` of them the index is given up for `BREAKER_PAUSE_S`, because a
loop of crashes helps nobody and hides its reason.
"""

from __future__ import annotations

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
BREAKER, BREAKER_PAUSE_S = 10, 60.0


class Breaker:
    """Counts the failed starts in a row, for each index of a worker."""

    def __init__(self) -> None:
        self._failures: dict[int, int] = {}

    def died(self, index: int, *, failed_start: bool) -> int:
        """Returns how many failed starts in a row this makes."""
        failures = self._failures[index] = self._failures.get(index, 0) + 1 if failed_start else 0
        return failures


def delay_s(failures: int) -> float:
    """Seconds until the replacement after so many failed starts in a row; none after the first."""
    if failures >= BREAKER:
        return BREAKER_PAUSE_S
    return min(FIRST_DELAY_S * 2 ** (failures - 2), LONGEST_DELAY_S) if failures > 1 else 0.0
