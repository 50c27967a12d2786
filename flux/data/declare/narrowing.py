"""How a column changes its type: by which cast, and whether any value may be lost. Pure."""

from __future__ import annotations

import re

_TYPE = re.compile(r"([^(\[]+?)\s*(?:\(([\d, ]+)\))?((?:\s+with(?:out)? time zone)?)((?:\[\])*)")
_WIDER: dict[str, frozenset[str]] = {
    "smallint": frozenset(("integer", "bigint", "numeric", "real", "double precision")),
    "integer": frozenset(("bigint", "numeric", "double precision")),
    "bigint": frozenset(("numeric",)),
    "real": frozenset(("double precision",)),
    "date": frozenset(("timestamp without time zone",)),
    "time without time zone": frozenset(("interval",)),
    "cidr": frozenset(("inet",)),
    "json": frozenset(("jsonb",)),
}
_TEXTUAL = ("character varying", "text", "citext")
# Within each of these there is a cast from every type to every other.
_CASTS = (
    frozenset(("smallint", "integer", "bigint", "numeric", "real", "double precision")),
    frozenset(("date", "timestamp without time zone", "timestamp with time zone")),
    frozenset(("json", "jsonb")),
    frozenset((*_TEXTUAL, "character", "name")),
)


def cast(column: str, old: str, new: str) -> str:
    """The expression that makes a value of `new` out of `column`; by way of its text where there is no cast."""
    (name, _, depth), (wanted, _, wanted_depth) = _parsed(old), _parsed(new)
    if depth == wanted_depth and (name == wanted or any({name, wanted} <= types for types in _CASTS)):
        return f"{column}::{new}"
    return f"{column}::text::{new}"


def narrows(old: str, new: str) -> bool:
    """Whether values of `old` may not fit `new`, or come out as others; both as format_type writes them."""
    (name, modifiers, depth), (wanted, limits, wanted_depth) = _parsed(old), _parsed(new)
    if depth != wanted_depth:
        return True
    if wanted in _TEXTUAL and not limits:
        return False
    if name == wanted:
        return _shorter(name, modifiers, limits)
    if name == "character" and wanted == "character varying":
        return _shorter(wanted, modifiers, limits)
    return bool(limits) or wanted not in _WIDER.get(name, ())


def _parsed(type_: str) -> tuple[str, tuple[int, ...], int]:
    """(name, modifiers, dimensions)."""
    match = _TYPE.fullmatch(type_)
    if match is None:
        return type_, (), 0
    name, modifiers, zone, dimensions = match.groups()
    return name + zone, tuple(int(part) for part in (modifiers or "").split(",") if part), len(dimensions) // 2


def _shorter(name: str, old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether the modifiers allow less. No modifier is no limit, but for time, whose default is the finest."""
    if not new:
        return False
    if not old:
        return True
    if name == "numeric":
        (precision, scale), (wanted, wanted_scale) = _decimal(old), _decimal(new)
        return wanted_scale < scale or wanted - wanted_scale < precision - scale
    return new[0] < old[0]


def _decimal(modifiers: tuple[int, ...]) -> tuple[int, int]:
    return modifiers[0], modifiers[1] if len(modifiers) > 1 else 0
