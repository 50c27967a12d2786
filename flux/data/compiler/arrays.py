"""Arrays as Postgres writes them, for where arrays of arrays would be needed, which it does not have. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flux.data.types.codec import Convert
from flux.data.types.from_json import INFINITY, MINUS_INFINITY


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
    if isinstance(value, datetime):
        naive = value.replace(tzinfo=None)
        if naive in (datetime.max, datetime.min):
            return INFINITY if naive == datetime.max else MINUS_INFINITY
    elif isinstance(value, date) and value in (date.max, date.min):
        return INFINITY if value == date.max else MINUS_INFINITY
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
