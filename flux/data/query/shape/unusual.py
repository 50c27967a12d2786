"""What the walk's parts share: how it is left, and how it counts."""

from __future__ import annotations

from typing import Any, Final


class Unusual(Exception):
    """Nothing for the fast walk: wrong, or rare."""


class _Counts(dict[int, str]):
    """Numbers as words; the usual ones are made once."""

    def __missing__(self, number: int) -> str:
        return str(number)


COUNT: Final = _Counts({number: str(number) for number in range(256)})


def flag(value: Any) -> str:
    if value is None or value is False:
        return "-"
    if value is True:
        return "+"
    raise Unusual
