"""Values of Postgres as JSON, type by type, and whole rows as JSON text. Pure."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import orjson
from asyncpg import Range, Record

Decode = Callable[[Any], Any]
# By the result's column; columns that orjson can write as they are have none.
Decoders = Sequence[tuple[str, Decode]]

# What a JavaScript number holds exactly.
MAX_SAFE_INTEGER = 2**53 - 1
_SMALLEST_NORMAL_SINGLE = 2.0**-126


def bigint(value: int) -> int | str:
    return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else str(value)


def decimal(value: Decimal) -> str:
    """As Postgres writes it: 0.0000001, not 1E-7."""
    return format(value, "f")


def double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def single(value: float) -> float | str:
    """The shortest number that is the same in single precision, as Postgres writes it: 1.1, not 1.100000023841858."""
    if not math.isfinite(value):
        return double(value)
    # All decimals of six digits survive; only numbers next to zero have fewer that matter.
    for digits in range(1 if abs(value) < _SMALLEST_NORMAL_SINGLE else 6, 9):
        shorter = float(f"{value:.{digits}g}")
        # Halfway to the next single is not close enough, although rounding might be in its favour.
        further = math.nextafter(shorter, math.inf if shorter > value else -math.inf)
        try:
            if shorter == value or struct.unpack("f", struct.pack("f", further))[0] == value:
                return shorter
        except OverflowError:  # rounded up past the largest single
            continue
    return float(f"{value:.9g}")


def instant(value: datetime | str) -> datetime | str:
    if isinstance(value, str) or value.microsecond % 10 or not value.microsecond:
        return value  # as it is for orjson, which always writes six digits of a fraction
    return _shortened(value.replace(tzinfo=None)) + ("Z" if value.tzinfo else "")


def time_of_day(value: time) -> str:
    """Not left to orjson: 3.13.0 writes 00:00:00.010000 as 00:00:00.10000."""
    naive = value.replace(tzinfo=None)
    return _shortened(naive) + value.isoformat().removeprefix(naive.isoformat())


def _shortened(value: datetime | time, separator: str = "T") -> str:
    """As Postgres writes it: the fraction without zeros at its end."""
    text = value.isoformat(separator) if isinstance(value, datetime) else value.isoformat()
    return text.rstrip("0") if value.microsecond else text


def octets(value: bytes) -> str:
    return base64.b64encode(value).decode()


def each(decode: Decode) -> Decode:
    def elements(value: list[Any]) -> list[Any]:
        return [
            None if entry is None else elements(entry) if isinstance(entry, list) else decode(entry) for entry in value
        ]

    return elements


def range_text(value: Range[Any]) -> str:
    """A range as Postgres writes it; bounds with a time are quoted."""
    if value.isempty:
        return "empty"

    def bound(limit: Any) -> str:
        if limit is None:
            return ""
        if not isinstance(limit, datetime):
            return str(limit)
        return f'"{_shortened(limit.replace(tzinfo=None), " ")}{"+00" if limit.tzinfo else ""}"'

    opening, closing = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
    return f"{opening}{bound(value.lower)},{bound(value.upper)}{closing}"


def _other(value: Any) -> Any:
    """What orjson cannot write: rows, and the odd types that raw SQL may return."""
    if isinstance(value, Record):
        return dict(value)
    if isinstance(value, Range):
        return range_text(value)
    if isinstance(value, bytes):
        return octets(value)
    if isinstance(value, time):
        return time_of_day(value)
    return str(value)


_OPTIONS = orjson.OPT_UTC_Z


def row(record: Record, decoders: Decoders) -> Any:
    """One row, ready for `dumps`. `decoders` are by the column's name."""
    if not decoders:
        return record
    values = dict(record)
    for name, decode in decoders:
        value = values[name]
        if value is not None:
            values[name] = decode(value)
    return values


def dumps(value: Any) -> bytes:
    """A row, or a list of rows, as JSON."""
    return orjson.dumps(value, default=_other, option=_OPTIONS)
