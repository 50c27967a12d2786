"""`settings->theme->>name`: a column, or a place inside a JSON column, from text and back. Pure.

column                  the column
column->name->0         the JSON value there: of objects by name, of arrays by position (from 0; -1 is the last)
column->>name           that value's text
column->'0'             in quotes a segment is always a name
column:and              the column called "and", whatever it is called
"""

from __future__ import annotations

import re
from functools import lru_cache

from .format import COLUMN_PREFIX, MAX_NAME
from .model import Item, Target
from .wrong import wrong

_BARE = r"(?!->)[^'>\u0000](?:(?!->)[^\u0000])*"
_SEGMENT = re.compile(rf"(->>?)(?:'([^'\u0000]*)'(?=->|\Z)|(-?\d{{1,9}})(?=->|\Z)|({_BARE}))")
_PLAIN_SEGMENT = re.compile(rf"(?!-?\d{{1,9}}\Z){_BARE}\Z")
# Everything that is a target, as the JSON Schema has it.
_QUOTED_OR_BARE = rf"(?:'[^'\u0000]*'|{_BARE})"
PATTERN = (
    rf"^(?:{COLUMN_PREFIX}[^\u0000]+|(?!{COLUMN_PREFIX})(?:(?!->)[^\u0000])+"
    rf"(?:->{_QUOTED_OR_BARE})*(?:->>{_QUOTED_OR_BARE})?)$"
)
# Names met again and again; bounded, as callers choose them.
CACHED = 4096


def name(text: object, place: str) -> str:
    """`text` if it can be the name of anything. Raises 400 INVALID_QUERY."""
    if not isinstance(text, str) or not text or "\0" in text or len(text) > MAX_NAME:
        raise wrong(place, f"must be a name: a string of 1 to {MAX_NAME} characters.")
    return text


def target(text: object, place: str) -> Target:
    """Raises 400 INVALID_QUERY when it is no column and no path."""
    if not isinstance(text, str):
        text = name(text, place)
    try:
        return _target(text)
    except ValueError as error:
        raise wrong(place, f"is no column or path into JSON: {error}.") from None


def field(alias: object, place: str) -> Item:
    """The column `alias`, which is no path, under its own name. Raises 400 INVALID_QUERY."""
    try:
        return _field(alias)
    except (ValueError, TypeError):  # not a name, or not even hashable: `name` says what it must be
        return _field(name(alias, place))


def written(target: Target) -> str:
    """The text that gives this target."""
    plain = not target.path and (target.column.startswith(COLUMN_PREFIX) or "->" in target.column)
    text = COLUMN_PREFIX + target.column if plain else target.column
    for position, segment in enumerate(target.path):
        arrow = "->>" if target.as_text and position == len(target.path) - 1 else "->"
        text += arrow + (str(segment) if isinstance(segment, int) else _segment(segment))
    return text


def _segment(name: str) -> str:
    return name if _PLAIN_SEGMENT.match(name) else f"'{name}'"


@lru_cache(CACHED)
def _target(text: str) -> Target:
    if not text or "\0" in text or len(text) > MAX_NAME:
        raise ValueError(f"it must have 1 to {MAX_NAME} characters")
    if text.startswith(COLUMN_PREFIX):
        bare = text.removeprefix(COLUMN_PREFIX)
        if not bare:
            raise ValueError('a name is missing behind "column:"')
        return Target(bare)
    start = text.find("->")
    if start < 0:
        return Target(text)
    if start == 0:
        raise ValueError("it begins with an arrow")
    path: list[str | int] = []
    position, as_text = start, False
    while position < len(text):
        if as_text:
            raise ValueError('"->>" gives text and must come last')
        found = _SEGMENT.match(text, position)
        if found is None:
            raise ValueError("a name or a position must follow each arrow")
        arrow, quoted, number, bare = found.groups()
        path.append(int(number) if number is not None else quoted if quoted is not None else bare)
        as_text = arrow == "->>"
        position = found.end()
    return Target(text[:start], tuple(path), as_text)


@lru_cache(CACHED)
def _field(alias: object) -> Item:
    if not isinstance(alias, str) or not alias or "\0" in alias or len(alias) > MAX_NAME:
        raise ValueError
    return Item(alias, Target(alias))
