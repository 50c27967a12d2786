"""Arrays as Postgres writes them, for where arrays of arrays would be needed, which it does not have. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any

from flux.data.types.codec import Convert


def literals(encode: Convert) -> Convert:
    """Encodes an array value into its literal."""
    return lambda value: literal(encode(value))


def literal(values: list[Any]) -> str:
    """`values` as the column's encoder gives them."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return literal(value)
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
