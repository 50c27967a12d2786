from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest

from flux.errors import RequestError
from flux.record.row import ExecutionRow, encode
from flux.store.copy import started_day
from flux.store.executions import id_range


def test_id_range_of_a_prefix() -> None:
    first, last = id_range("4F9A-3b2c ")
    assert str(first) == "4f9a3b2c-0000-0000-0000-000000000000"
    assert str(last) == "4f9a3b2c-ffff-ffff-ffff-ffffffffffff"


def test_id_range_of_a_whole_id() -> None:
    id_ = uuid.uuid4()
    assert id_range(str(id_)) == (id_, id_)


@pytest.mark.parametrize("text", ["", "4f9a3b2", "4f9a3b2g", "0" * 33, "-" * 8])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(RequestError, match="at least its first 8 digits"):
        id_range(text)


@pytest.mark.parametrize(
    ("started_us", "day"),
    [
        (0, date(1970, 1, 1)),
        (946_684_800_000_000 - 1, date(1999, 12, 31)),
        (int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 10**6 - 1, date(2026, 11, 21)),
        (int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 10**6, date(2026, 11, 22)),
    ],
)
def test_day_of_an_encoded_row(started_us: int, day: date) -> None:
    row = ExecutionRow(
        request_id=bytes(16),
        parent_request_id=None,
        replay_of=bytes(16),
        kind="http",
        tenant="ä",
        method="",
        path="/",
        route="/",
        function=None,
        code_version=None,
        status=200,
        error=b"{}",
        started_us=started_us,
        duration_us=1,
        seed=None,
        request=None,
        input=None,
        output=None,
        spans=b"[]",
        logs=None,
    )
    assert started_day(encode(row)) == day


@pytest.mark.parametrize("junk", [b"", b"\x00\x14", b"\x00\x14\xff\xff", b"\x7f" * 64, b"\x00" * 500])
def test_day_of_junk_does_not_raise(junk: bytes) -> None:
    assert started_day(junk) in (None, date(2000, 1, 1))
