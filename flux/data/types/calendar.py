"""Dates and times as asyncpg passes them through: counted from 2000, with infinity as a number of its own. Pure.

asyncpg's own objects have no infinity: it takes the first and the last value of Python's calendar for it, and so stores
infinity for 9999-12-31, which is what many tables write for "no end". Here infinity is a word, and all else a date.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

INFINITY, MINUS_INFINITY = "infinity", "-infinity"

Counted: TypeAlias = tuple[int]

_FIRST_DAY: Final = date(2000, 1, 1)
_BEGINNING: Final = datetime(2000, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST_32, _LAST_64 = (1 << 31) - 1, (1 << 63) - 1


def count_days(value: date | str) -> Counted:
    if isinstance(value, str):
        return _infinite(value, _LAST_32)
    return ((value - _FIRST_DAY).days,)


def day(counted: Counted) -> date | str:
    """Raises OverflowError outside of the years 1 to 9999."""
    (days,) = counted
    return _word(days, _LAST_32) or _FIRST_DAY + timedelta(days=days)


def count_microseconds(value: datetime | str) -> Counted:
    if isinstance(value, str):
        return _infinite(value, _LAST_64)
    return ((value - _BEGINNING.replace(tzinfo=value.tzinfo and UTC)) // _MICROSECOND,)


def timestamp(counted: Counted) -> datetime | str:
    """Raises OverflowError outside of the years 1 to 9999."""
    (microseconds,) = counted
    return _word(microseconds, _LAST_64) or _BEGINNING + timedelta(microseconds=microseconds)


def timestamptz(counted: Counted) -> datetime | str:
    """Raises OverflowError outside of the years 1 to 9999."""
    found = timestamp(counted)
    return found if isinstance(found, str) else found.replace(tzinfo=UTC)


def _infinite(word: str, last: int) -> Counted:
    """Raises ValueError for what nobody has read as a date: elements of domains, say, travel as text."""
    if word not in (INFINITY, MINUS_INFINITY):
        raise ValueError(f"expected a date, {INFINITY} or {MINUS_INFINITY}")
    return (last if word == INFINITY else -last - 1,)


def _word(count: int, last: int) -> str:
    return INFINITY if count == last else MINUS_INFINITY if count == -last - 1 else ""


# By type: how a parameter is sent, and how a value is read.
COUNTED: Final[dict[str, tuple[Callable[..., Counted], Callable[[Counted], date | str]]]] = {
    "date": (count_days, day),
    "timestamp": (count_microseconds, timestamp),
    "timestamptz": (count_microseconds, timestamptz),
}
