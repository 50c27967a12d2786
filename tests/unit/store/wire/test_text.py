"""Parameters as text."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from flux.store.wire.text import parameter


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("a'b", b"a'b"),
        ("é", "é".encode()),
        (-3, b"-3"),
        (True, b"t"),
        (False, b"f"),
        (1.5, b"1.5"),
        (float("inf"), b"inf"),
        (Decimal("1.10"), b"1.10"),
        (Decimal("1E+30"), b"1E+30"),
        (UUID(int=1), b"00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), b"2026-01-02T03:04:05.000006+00:00"),
        (datetime.max, b"9999-12-31T23:59:59.999999"),
        ("-infinity", b"-infinity"),
        (date(2026, 1, 2), b"2026-01-02"),
        (date.max, b"9999-12-31"),
        (date.min, b"0001-01-01"),
        (time(10, 25), b"10:25:00"),
        (b"\x00\xff", b"\\x00ff"),
        ([], b"{}"),
        ([1, None, 2], b"{1,NULL,2}"),
        (["NULL", 'a"b\\', ""], b'{"NULL","a\\"b\\\\",""}'),
        ([["a"], ["b"]], b'{{"a"},{"b"}}'),
        ([b"\x01"], b'{"\\\\x01"}'),
    ],
)
def test_parameter(value: Any, text: bytes | None) -> None:
    assert parameter(value) == text


@pytest.mark.parametrize("value", ["a\0b", "\ud800", object(), {"a": 1}])
def test_what_cannot_be_one(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # a lone surrogate raises its subclass
        parameter(value)
