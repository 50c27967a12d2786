"""Conversions without a database: what asyncpg is given, and what comes back as JSON."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from asyncpg import Range
from hypothesis import given
from hypothesis import strategies as st

from flux.data.types import calendar, from_json, to_json
from flux.data.types.codec import codec


def there_and_back(kind: str, value: Any, *, array: bool = False) -> Any:
    """JSON -> what asyncpg gets -> JSON, as if Postgres gave it back unchanged."""
    used = codec(kind, sql=kind, array=array)
    stored = used.encode(value)
    return orjson.loads(to_json.dumps(used.decode(stored) if used.decode else stored))


@given(st.integers(-(2**63), 2**63 - 1))
def test_bigint(value: int) -> None:
    safe = abs(value) <= 2**53 - 1
    assert there_and_back("int8", str(value)) == (value if safe else str(value))
    if safe:
        assert there_and_back("int8", value) == value


@pytest.mark.parametrize(("kind", "bits"), [("int2", 16), ("int4", 32), ("int8", 64)])
def test_integer_bounds(kind: str, bits: int) -> None:
    encode = codec(kind, sql=kind).encode
    assert encode(2 ** (bits - 1) - 1) == 2 ** (bits - 1) - 1
    assert encode(-(2 ** (bits - 1))) == -(2 ** (bits - 1))
    for outside in (2 ** (bits - 1), -(2 ** (bits - 1)) - 1):
        with pytest.raises(ValueError, match="whole number from"):
            encode(str(outside))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_numeric(value: Decimal) -> None:
    assert there_and_back("numeric", str(value)) == format(value, "f")


@given(st.floats())
def test_double(value: float) -> None:
    text = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    given = value if math.isfinite(value) else text
    assert there_and_back("float8", given) == given


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_is_as_short_as_it_can_be(value: float) -> None:
    shown = to_json.single(value)
    assert isinstance(shown, float)
    assert struct.pack("f", shown) == struct.pack("f", value)
    assert len(repr(shown)) <= len(repr(value))


def test_single_looks_like_what_was_written() -> None:
    assert there_and_back("float4", struct.unpack("f", struct.pack("f", 1.1))[0]) == 1.1


@given(st.binary())
def test_bytes(value: bytes) -> None:
    text = to_json.octets(value)
    assert from_json.octets(text) == value
    assert there_and_back("bytea", text) == text


@given(st.uuids())
def test_uuid(value: Any) -> None:
    assert there_and_back("uuid", str(value).upper()) == str(value)


INSTANTS = st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 12, 31),
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-7))),
)


@given(INSTANTS)
def test_timestamptz(value: datetime) -> None:
    stored = from_json.timestamptz(value.isoformat())
    assert stored == value
    shown = there_and_back("timestamptz", value.astimezone(UTC).isoformat())
    assert shown.endswith("Z")
    assert datetime.fromisoformat(shown) == value


def test_timestamps_of_javascript() -> None:
    assert from_json.timestamptz("2026-11-22T10:25:00.123Z") == datetime(2026, 11, 22, 10, 25, 0, 123000, UTC)
    assert from_json.timestamptz("2026-11-22T10:25:00") == datetime(2026, 11, 22, 10, 25, tzinfo=UTC)
    assert from_json.timestamp("2026-11-22T12:25:00+02:00") == datetime(2026, 11, 22, 10, 25)
    assert from_json.day("2026-11-22T10:25:00.000Z") == date(2026, 11, 22)


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("value", ["infinity", "-infinity"])
def test_infinity(kind: str, value: str) -> None:
    assert there_and_back(kind, value) == value


@given(st.dates())
def test_date(value: date) -> None:
    assert there_and_back("date", value.isoformat()) == value.isoformat()


@given(st.dates() | st.sampled_from(["infinity", "-infinity"]) | st.sampled_from([date.min, date.max]))
def test_counted_days(value: date | str) -> None:
    assert calendar.day(calendar.count_days(value)) == value


@given(INSTANTS | st.sampled_from(["infinity", "-infinity", datetime.min, datetime.max]))
def test_counted_microseconds(value: datetime | str) -> None:
    aware = isinstance(value, datetime) and value.tzinfo is not None
    counted = calendar.count_microseconds(value)
    assert (calendar.timestamptz if aware else calendar.timestamp)(counted) == value


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("value", ["2026-01-01Tx", "0001-01-01T00:00:00+14:00 ", "now", 5, ["infinity"]])
def test_no_date(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        codec(kind, sql=kind).encode(value)


def test_a_time_that_is_before_the_calendar_in_utc() -> None:
    with pytest.raises(ValueError, match=r"^expected a time in ISO 8601"):
        from_json.timestamp("0001-01-01T00:00:00+14:00")


OFFSETS = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-15 * 60, 15 * 60))


@given(st.times() | st.times(timezones=OFFSETS))
def test_time(value: time) -> None:
    shown = there_and_back("timetz" if value.tzinfo else "time", value.isoformat())
    assert time.fromisoformat(shown) == value
    assert time.fromisoformat(shown).utcoffset() == value.utcoffset()


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("timestamptz", "2026-11-22T10:25:00.500000+00:00", "2026-11-22T10:25:00.5Z"),
        ("timestamptz", "2026-11-22T10:25:00.000010Z", "2026-11-22T10:25:00.00001Z"),
        ("timestamptz", "2026-11-22T10:25:00.000Z", "2026-11-22T10:25:00Z"),
        ("timestamp", "2026-11-22T10:25:00.120000", "2026-11-22T10:25:00.12"),
        ("timestamp", "2026-11-22T00:00:00", "2026-11-22T00:00:00"),
        ("time", "10:25:00.010000", "10:25:00.01"),
        ("time", "10:20:00", "10:20:00"),
        ("timetz", "10:25:00.500000-03:30", "10:25:00.5-03:30"),
        ("timetz", "10:20:00+02:00", "10:20:00+02:00"),
    ],
)
def test_a_fraction_is_as_short_as_it_can_be(kind: str, given: str, shown: str) -> None:
    assert there_and_back(kind, given) == shown


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("kind", "value"), [("text", "a\ud800"), ("jsonb", {"a": ["\ud800"]}), ("jsonb", {"\ud800": 1})]
)
def test_half_a_character(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected text in Unicode"):
        codec(kind, sql=kind).encode(value)


@given(JSON.filter(lambda value: value is not None))
def test_json(value: Any) -> None:
    stored = codec("jsonb", sql="jsonb").encode(value)
    assert isinstance(stored, str)
    assert orjson.loads(to_json.dumps({"j": orjson.Fragment(stored)})) == {"j": value}


@given(st.recursive(st.lists(st.none() | st.integers(-(2**53) + 1, 2**53 - 1)), st.lists, max_leaves=4))
def test_arrays_of_any_depth(value: Any) -> None:
    assert there_and_back("int8", value, array=True) == value


def test_an_array_within_json_is_a_value() -> None:
    assert codec("jsonb", sql="jsonb", array=True).encode([[1], None, {"a": [2]}]) == ["[1]", None, '{"a":[2]}']


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int4", True),
        ("int4", 1.5),
        ("int4", "1.0"),
        ("int4", "1e3"),
        ("int4", []),
        ("int8", "9" * 41),
        ("float8", "1.5"),
        ("float8", True),
        ("numeric", "abc"),
        ("numeric", False),
        ("numeric", [1]),
        ("bool", "true"),
        ("bool", 1),
        ("text", 5),
        ("text", {"a": 1}),
        ("uuid", "not-a-uuid"),
        ("uuid", 5),
        ("timestamptz", "yesterday"),
        ("timestamptz", 1700000000000),
        ("date", "2026-13-01"),
        ("time", "25:00"),
        ("bytea", "***"),
        ("bytea", 5),
        ("enum", 5),
        ("unheard_of", 5),
    ],
)
def test_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        codec(kind, sql=kind).encode(value)


def test_not_an_array() -> None:
    with pytest.raises(ValueError, match="expected an array"):
        codec("int4", sql="int4", array=True).encode("1,2")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Range(1, 5), "[1,5)"),
        (Range(None, 5), "(,5)"),
        (Range(Decimal("1.5"), Decimal(2), upper_inc=True), "[1.5,2]"),
        (Range(empty=True), "empty"),
        (Range(date(2026, 1, 1), None), "[2026-01-01,)"),
        (Range(datetime(2026, 1, 1), datetime(2026, 1, 2)), '["2026-01-01 00:00:00","2026-01-02 00:00:00")'),
        (Range(datetime(2026, 1, 1, 0, 0, 0, 500000, UTC), "infinity"), '["2026-01-01 00:00:00.5+00",infinity)'),
    ],
)
def test_ranges(value: Range[Any], expected: str) -> None:
    assert orjson.loads(to_json.dumps([value])) == [expected]
