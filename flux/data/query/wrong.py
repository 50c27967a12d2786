"""How a query is refused: 400 INVALID_QUERY with the place (`where.or[1].age.gte`) and what is allowed there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from flux.failure import HostError, nearest

# Names that a message lists and compares with; aliases, which are the caller's own, may be many more.
LISTED = 50


def wrong(place: str, message: str) -> HostError:
    """`message` goes on after the place: 'must be ...'."""
    shown = shortened(place)
    return HostError(
        "INVALID_QUERY", 400, f'"{shown}" {message}' if shown else f"The query {message}", {"place": shown}
    )


def unknown(place: str, kind: str, name: str, allowed: Iterable[str]) -> HostError:
    """A misspelt key or operator: says which there are, and the nearest."""
    known = tuple(islice(allowed, LISTED))
    return wrong(place, f'has no {kind} "{shortened(name)}".{nearest(name[:100], known)} Allowed: {", ".join(known)}.')


def at(place: str, name: str) -> str:
    """The place of `name` inside `place`."""
    return f"{place}.{name}" if place else name


def shortened(text: str) -> str:
    """For a message, which is read by people; one of huge names would not be."""
    return text if len(text) <= 300 else f"{text[:200]}...{text[-60:]}"
