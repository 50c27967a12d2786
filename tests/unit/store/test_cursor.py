from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import RequestError
from flux.store.cursor import pack, unpack


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)), st.uuids())
def test_round_trip(moment: datetime, id_: UUID) -> None:
    assert unpack(pack(moment, id_)) == (moment, id_)


@pytest.mark.parametrize("cursor", ["", "x", "nonsense", "é", "A" * 31, "A" * 64])
def test_what_is_no_cursor(cursor: str) -> None:
    with pytest.raises(RequestError):
        unpack(cursor)
