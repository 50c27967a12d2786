"""Values of host calls as asyncpg wants them, type by type. Each raises ValueError saying what is expected. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from asyncpg.pgproto.pgproto import UUID

from .calendar import INFINITY, MINUS_INFINITY

Encode = Callable[[Any], Any]

MAX_DIMENSIONS = 6  # of an array in Postgres

_LABELS_SHOWN = 20  # in an error; an enumeration of countries has 250

# Half of a character, as JavaScript's strings may hold it.
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNICODE = "text in Unicode, without halves of characters (lone surrogates)"
_DIGITS = re.compile(r"[+-]?[0-9]{1,40}")
_FLOAT_NAMES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def integer(bits: int, *, signed: bool = True) -> Encode:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def encode(value: Any) -> int:
        found = value if type(value) is int else _whole(value)
        if not low <= found <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return found

    return encode


def _whole(value: Any) -> int:
    if (isinstance(value, str) and _DIGITS.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise ValueError("expected a whole number")


def real(value: Any) -> float:
    if isinstance(value, str) and value in _FLOAT_NAMES:
        return _FLOAT_NAMES[value]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("expected a number")
    return float(value)


def decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a number, or a string that is one")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError("expected a number, or a string that is one") from None


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")
    if "\0" in value:
        raise ValueError("expected a string without the character U+0000, which Postgres cannot store")
    if not value.isascii() and _SURROGATE.search(value):
        raise ValueError(f"expected {_UNICODE}")
    return value


def label(labels: Sequence[str]) -> Encode:
    """One of an enumeration's labels."""
    allowed = frozenset(labels)
    expected = "expected one of " + ", ".join(f'"{each}"' for each in labels[:_LABELS_SHOWN])
    expected += ", ..." if len(labels) > _LABELS_SHOWN else ""

    def encode(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(expected)
        return value

    return encode


def amount(value: Any) -> str:
    """Of money: what Postgres reads as such, or a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, float) else str(value)
    return string(value)


def uuid(value: Any) -> UUID:
    try:
        return UUID(string(value))
    except ValueError:
        raise ValueError("expected a UUID") from None


def timestamptz(value: Any) -> datetime | str:
    if value in (INFINITY, MINUS_INFINITY):
        return str(value)
    try:
        found = datetime.fromisoformat(string(value))
    except ValueError:
        raise ValueError('expected a time in ISO 8601, such as "2026-11-22T10:25:00Z"') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def timestamp(value: Any) -> datetime | str:
    if value in (INFINITY, MINUS_INFINITY):
        return str(value)
    try:
        found = datetime.fromisoformat(string(value))
        # A Date's toJSON() ends in Z: the same wall clock in UTC is what is meant.
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        raise ValueError('expected a time in ISO 8601, such as "2026-11-22T10:25:00"') from None


def day(value: Any) -> date | str:
    if value in (INFINITY, MINUS_INFINITY):
        return str(value)
    text = string(value)
    try:
        return datetime.fromisoformat(text).date() if "T" in text else date.fromisoformat(text)
    except ValueError:
        raise ValueError('expected a date, such as "2026-11-22"') from None


def time_of_day(value: Any) -> time:
    try:
        return time.fromisoformat(string(value))
    except ValueError:
        raise ValueError('expected a time of day, such as "10:25:00"') from None


def octets(value: Any) -> bytes:
    try:
        return base64.b64decode(string(value), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected bytes in base64") from None


def json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:  # of what was JSON, only the depth can be wrong, and halves of characters
        expected = _UNICODE if "surrogates" in str(error) else "JSON with fewer levels; it has more than 250"
        raise ValueError(f"expected {expected}") from None


def each(encode: Encode, *, flat: bool) -> Encode:
    """Arrays: of any depth, but not where an inner array is itself a value (JSON)."""

    def elements(value: Any, dimension: int = 1) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("expected an array")
        if dimension > MAX_DIMENSIONS:
            raise ValueError(f"expected an array of at most {MAX_DIMENSIONS} dimensions")
        return [
            None
            if entry is None
            else elements(entry, dimension + 1)
            if not flat and isinstance(entry, list)
            else encode(entry)
            for entry in value
        ]

    return elements
