"""Whether the two sides of a comparison fit together: the operator, the column's type, the value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flux.data.query.model import Auth, Literal, Target
from flux.data.schema.model import Column, Computed, Family, Table
from flux.data.types.codec import Codec, codec
from flux.failure import nearest

Constant = str | int | float | bool | None

LIKE = ("like", "ilike")
SETS = ("contains", "contained", "overlaps")

_TEXT = codec("text", sql="text")
_JSON = codec("jsonb", sql="jsonb")


@dataclass(frozen=True, slots=True)
class Typed:
    """A place that a condition names, with what is stored there."""

    target: Target
    codec: Codec
    family: Family
    type: str
    enum: tuple[str, ...] = ()


def typed(table: Table, target: Target) -> Typed:
    """Raises ValueError naming what is wrong."""
    found: Column | Computed | None = table.columns.get(target.column) or table.computed.get(target.column)
    if found is None:
        hint = nearest(target.column, (*table.columns, *table.computed))
        if target.column in table.relations:
            hint = f" It is a relation: exists({target.column} where ...)."
        raise ValueError(f'table "{table.name}" has no column "{target.column}".{hint}')
    if target.path:
        if found.family != "json":
            raise ValueError(f'column "{target.column}" is of type {found.type}, and -> needs JSON')
        if target.as_text:
            return Typed(target, _TEXT, "text", "text")
        return Typed(target, _JSON, "json", "jsonb")
    enum = found.enum if isinstance(found, Column) else ()
    return Typed(target, found.codec, found.family, found.type, enum)


def check_operator(left: Typed, operator: str) -> None:
    """Raises ValueError when values of this type have no such operator."""
    place = f'"{left.target.column}" is of type {left.type}'
    if operator in LIKE and left.family != "text":
        raise ValueError(f"{place}, and patterns need text")
    if operator in SETS and left.family not in ("json", "array", "range"):
        raise ValueError(f"{place}, and this operator needs an array, JSON or a range")
    if operator == "overlaps" and left.family == "json":
        raise ValueError(f"{place}, and && needs an array or a range")


def check_literal(left: Typed, operator: str, value: Constant | tuple[Constant, ...]) -> None:
    """Raises ValueError when the column's type cannot take that value."""
    if value is None:
        raise ValueError("nothing is equal to null; write is null, or is not null")
    if isinstance(value, tuple) and left.family not in ("array", "json"):
        raise ValueError(f'"{left.target.column}" is of type {left.type}, not an array; expected one value')
    if not isinstance(value, tuple) and left.family == "array":
        raise ValueError(f'"{left.target.column}" is of type {left.type}; expected array[...]')
    if left.enum and value not in left.enum:
        raise ValueError(
            f'"{left.target.column}" is one of {", ".join(map(repr, left.enum))}'
            + (nearest(value, left.enum) if isinstance(value, str) else "")
        )
    if operator in LIKE and isinstance(value, str) and (len(value) - len(value.rstrip("\\"))) % 2:
        raise ValueError("a pattern cannot end in a single backslash")
    try:
        left.codec.encode(list(value) if isinstance(value, tuple) else value)
    except ValueError as error:
        raise ValueError(f'"{left.target.column}" is of type {left.type}: {error}') from None


def check_auth(left: Typed, operator: str, _: Auth) -> None:
    """A caller's fact takes the column's type; where it does not fit, it is NULL. Raises ValueError."""
    if operator in SETS:
        if left.family != "array":
            raise ValueError("a caller's list can only be compared with an array")
    elif left.family in ("json", "array", "range"):
        raise ValueError(f'"{left.target.column}" is of type {left.type}; a caller\'s fact is a single value')


def check_columns(left: Typed, operator: str, right: Typed) -> None:
    """Raises ValueError when two columns cannot be compared."""
    if left.family != right.family or (left.family in ("other", "array", "range") and left.type != right.type):
        raise ValueError(
            f'"{left.target.column}" is of type {left.type} and "{right.target.column}" of type {right.type}'
        )


def check(table: Table, left: Typed, operator: str, right: Auth | Literal | Target) -> None:
    """Raises ValueError when `left operator right` cannot be."""
    check_operator(left, operator)
    if isinstance(right, Literal):
        check_literal(left, operator, right.value)
    elif isinstance(right, Auth):
        check_auth(left, operator, right)
    else:
        check_columns(left, operator, typed(table, right))
