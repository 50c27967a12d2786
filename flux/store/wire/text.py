"""Python values as parameters in Postgres' text format: the same types that asyncpg takes for its binary one. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID


def parameter(value: Any) -> bytes | None:
    """Raises ValueError for a value of another type, or a string that is not Unicode."""
    if value is None:
        return None
    encode = _ENCODERS.get(type(value))
    if encode is None:
        raise ValueError(f"a value of type {type(value).__name__} cannot be a parameter")
    return encode(value)


def _string(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a text with the character \\u0000, which Postgres does not store")
    return value.encode()


def _real(value: float) -> bytes:
    return repr(value).encode()  # nan, inf and -inf are Postgres' words, too


def _iso(value: date | time) -> bytes:
    return value.isoformat().encode()


def _array(value: list[Any]) -> bytes:
    return b"{" + b",".join(map(_element, value)) + b"}"


def _element(value: Any) -> bytes:
    if value is None:
        return b"NULL"
    if type(value) is list:
        return _array(value)
    text = parameter(value)
    assert text is not None
    return text if type(value) is int else b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: _string,
    int: lambda value: b"%d" % value,
    bool: lambda value: b"t" if value else b"f",
    float: _real,
    Decimal: lambda value: str(value).encode(),
    UUID: lambda value: str(value).encode(),
    FastUUID: lambda value: str(value).encode(),
    datetime: _iso,
    date: _iso,
    time: _iso,
    bytes: lambda value: b"\\x" + value.hex().encode(),
    list: _array,
}
