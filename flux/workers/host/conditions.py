"""`where` and `order_by` taken apart: a hashable shape, which decides the statement's text, and the values beside it.

Names and operators go into the shape and are checked against the catalogue and the table below; values never become
text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux.failure import invalid

# (column, operator); the statement's text depends on these alone.
Shape = tuple[tuple[str, str], ...]
Order = tuple[tuple[str, str], ...]

# The operators that compare with a value, as SQL. `in` and `is_null` are spelled out by `statements`.
COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
}
OPERATORS = (*COMPARISONS, "in", "is_null")
# Operators of a shape beyond these: "null", "not_null" (no value), "in" and "in_or_null" (an array).
WITHOUT_VALUE = frozenset(("null", "not_null"))

MAX_CONDITIONS = 100  # a condition is typed by a person; more of them are data, and belong into `in`


def split(where: Any) -> tuple[Shape, list[Any]]:
    """Shape and values, in the same order (operators without a value have none). Raises 400 INVALID_ARGUMENT."""
    if not isinstance(where, dict):
        raise invalid('"where" must be an object: {column: value} or {column: {operator: value}}.')
    shape: list[tuple[str, str]] = []
    values: list[Any] = []
    for column, condition in where.items():
        if condition is None:
            shape.append((column, "null"))
        elif isinstance(condition, dict):
            _operators(column, condition, shape, values)
        elif isinstance(condition, list):
            raise invalid(
                f'"where.{column}" is an array: write {{in: [...]}} for any of these, {{eq: [...]}} for itself.'
            )
        else:
            shape.append((column, "eq"))
            values.append(condition)
    if len(shape) > MAX_CONDITIONS:
        raise invalid(f'"where" has {len(shape)} conditions; {MAX_CONDITIONS} are allowed.')
    return tuple(shape), values


def _operators(column: str, condition: Mapping[str, Any], shape: list[tuple[str, str]], values: list[Any]) -> None:
    if not condition:
        raise invalid(f'"where.{column}" is empty; the operators are: {", ".join(OPERATORS)}.')
    for operator, operand in condition.items():
        if operator == "is_null":
            if not isinstance(operand, bool):
                raise invalid(f'"where.{column}.is_null" must be true or false.')
            shape.append((column, "null" if operand else "not_null"))
        elif operator == "in":
            if not isinstance(operand, list):
                raise invalid(f'"where.{column}.in" must be an array.')
            present = [entry for entry in operand if entry is not None]
            shape.append((column, "in" if len(present) == len(operand) else "in_or_null"))
            values.append(present)
        elif operator in COMPARISONS:
            if operand is not None:
                shape.append((column, operator))
                values.append(operand)
            elif operator in ("eq", "neq"):
                shape.append((column, "null" if operator == "eq" else "not_null"))
            else:
                raise invalid(f'"where.{column}.{operator}" is null, to which nothing compares.')
        else:
            raise invalid(f'"where.{column}" has no operator "{operator}"; they are: {", ".join(OPERATORS)}.')


def order(order_by: Any) -> Order:
    """((column, "ASC" or "DESC"), ...) of `order_by`; empty when it is None. Raises 400 INVALID_ARGUMENT."""
    if order_by is None:
        return ()
    found: list[tuple[str, str]] = []
    for entry in order_by if isinstance(order_by, list) else [order_by]:
        if isinstance(entry, str):
            found.append((entry, "ASC"))
        elif isinstance(entry, dict):
            for column, direction in entry.items():
                if not isinstance(direction, str) or direction.lower() not in ("asc", "desc"):
                    raise invalid(f'"order_by.{column}" must be "asc" or "desc".')
                found.append((column, direction.upper()))
        else:
            raise invalid('"order_by" must be "column", {column: "asc" | "desc"}, or an array of these.')
    if len(found) > MAX_CONDITIONS:
        raise invalid(f'"order_by" has {len(found)} entries; {MAX_CONDITIONS} are allowed.')
    return tuple(found)
