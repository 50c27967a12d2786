"""What a value of a type is, for the checks of operators. Pure."""

from __future__ import annotations

from typing import Literal

# `like` wants text, `overlaps` an array or a range, `fts` a tsvector.
Family = Literal["number", "text", "boolean", "time", "uuid", "bytes", "json", "array", "range", "fts", "other"]

_MEMBERS: dict[Family, tuple[str, ...]] = {
    "number": ("int2", "int4", "int8", "float4", "float8", "numeric", "money", "oid"),
    "text": ("text", "varchar", "bpchar", "name", "char", "citext"),
    "boolean": ("bool",),
    "time": ("date", "time", "timetz", "timestamp", "timestamptz", "interval"),
    "uuid": ("uuid",),
    "bytes": ("bytea",),
    "json": ("json", "jsonb"),
    "fts": ("tsvector",),
}
_FAMILIES: dict[str, Family] = {name: family for family, names in _MEMBERS.items() for name in names}


def family(name: str, *, typtype: str = "b", array: bool = False) -> Family:
    """Of a type by its name in pg_type ("" = one that is not built in), pg_type.typtype, and whether it is an array.

    An enumeration is "other": it compares and sorts, but it is no text to match.
    """
    if array:
        return "array"
    if typtype in ("r", "m"):
        return "range"
    return "other" if typtype == "e" else _FAMILIES.get(name, "other")
