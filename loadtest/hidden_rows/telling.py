"""The table, and what two lists of times tell."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

ROWS = 1000
TABLE = f"""
    CREATE TABLE notes (id integer PRIMARY KEY, tenant text NOT NULL, title text NOT NULL UNIQUE, body text NOT NULL);
    INSERT INTO notes
        SELECT n * 2, CASE WHEN n % 2 = 0 THEN 'mine' ELSE 'other' END, 'title ' || n * 2, repeat('x', 200)
        FROM generate_series(1, {ROWS}) AS n;
    ANALYZE notes;
"""  # noqa: S608  a constant
# Half of the even keys are the caller's, half are hidden; the odd ones are nobody's.
HIDDEN, ABSENT = 1002, 1003

MEDIANS_OF = {1: "one call", 100: "medians of 100", 1000: "medians of 1,000"}


@dataclass(kw_only=True)
class Times:
    """Microseconds of calls for the hidden row and for the absent one, which took turns."""

    hidden: list[float] = field(default_factory=list)
    absent: list[float] = field(default_factory=list)

    def line(self, what: str) -> str:
        """What they tell, for people."""
        a, b = statistics.median(self.hidden), statistics.median(self.absent)
        shares = [
            f"{told(medians(self.hidden, of), medians(self.absent, of)):.2f} by {named}"
            for of, named in MEDIANS_OF.items()
            if len(self.hidden) >= 10 * of
        ]
        return f"{what:17} hidden {a:6.1f} µs, absent {b:6.1f} µs   told {', '.join(shares)}"


def told(hidden: Sequence[float], absent: Sequence[float]) -> float:
    """The share of pairs in which the hidden one is longer: 0.5 tells nothing."""
    pairs = [(a > b) + (a == b) / 2 for a, b in zip(hidden, absent, strict=True)]
    return sum(pairs) / len(pairs)


def medians(times: Sequence[float], of: int) -> list[float]:
    return [statistics.median(times[at : at + of]) for at in range(0, len(times) - of + 1, of)]
