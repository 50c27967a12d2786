"""Bodies, IDs and rows of executions."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.record.execution import Ending, original_body, recorded_body, row, uuid_bytes, uuid_text
from flux.record.head import unpack
from flux.record.journal import Journal
from flux.record.redaction import record_headers
from flux.record.row import COLUMNS, decode

from .samples import ID, head


@given(
    st.one_of(st.binary(max_size=50), st.sampled_from([b'{"$text":"x"}', b'{"$truncated":5}', b" {}", b"null", b"1"]))
)
def test_a_recorded_body_gives_the_original_back(body: bytes) -> None:
    recorded = recorded_body(body, 100)
    assert original_body(recorded) == (body or None)
    if recorded is not None:
        orjson.loads(recorded)


def test_a_body_over_the_cap_is_known_by_its_size_only() -> None:
    recorded = recorded_body(b"x" * 101, 100)
    assert recorded == b'{"$truncated":101}'
    with pytest.raises(ValueError, match="101 bytes"):
        original_body(recorded)


def test_a_row_holds_what_the_head_and_the_ending_say() -> None:
    ending = Ending(status=200, error=None, output=b'{"id":1}', function_start_us=350, end_us=1_350)
    fields = decode(row(ID, head(), b"{}", Journal(10), ending))
    assert tuple(fields) == COLUMNS
    assert fields["request_id"] == ID
    assert (fields["function"], fields["tenant"], fields["kind"]) == (b"create_user", b"acme", b"http")
    assert int.from_bytes(fields["duration_us"] or b"", "big") == 1_350
    gateway, function = orjson.loads(fields["spans"] or b"")
    assert (gateway["duration_us"], gateway["attributes"]) == (300, {"auth": "ok"})
    assert (function["start_us"], function["duration_us"], function["status"]) == (350, 1_000, "ok")
    assert fields["replay_of"] is None


def test_a_head_survives_the_wire() -> None:
    sent = head(parent=uuid_text(ID), seed=b"\n" * 32)
    assert unpack(sent.pack()) == (sent, b"")
    assert unpack(sent.pack() + b'\n{"a":"b"}') == (sent, b'{"a":"b"}')


def test_ids_are_text_and_bytes() -> None:
    assert uuid_bytes(uuid_text(ID)) == ID
    assert uuid_bytes(None) is None


def test_secret_headers_are_hidden_and_harmless_lists_are_left_alone() -> None:
    harmless = [("accept", "*/*")]
    assert record_headers(harmless) is harmless
    shown = record_headers([("Authorization", "Bearer x"), ("x-mine", "y"), ("accept", "*/*")], also={"x-mine"})
    assert shown == [("Authorization", "[redacted]"), ("x-mine", "[redacted]"), ("accept", "*/*")]


def test_text_that_postgres_would_refuse_is_mended() -> None:
    ending = Ending(status=200, error=None, output=None, function_start_us=0, end_us=1)
    assert decode(row(ID, head(path="/a\0b"), None, Journal(10), ending))["path"] == "/a\ufffdb".encode()
