from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.ipc.errors import WireInvalid
from flux.ipc.wire import pack_request, pack_result, unpack_request, unpack_result


@given(st.binary(), st.none() | st.binary(), st.binary())
def test_a_request_survives(head: bytes, body: bytes | None, secret: bytes) -> None:
    assert unpack_request(b"".join(pack_request(head, body, secret))) == (head, secret, body)


@given(st.integers(0, 0xFFFF), st.binary(), st.binary())
def test_a_result_survives(status: int, headers: bytes, body: bytes) -> None:
    assert unpack_result(b"".join(pack_result(status, headers, body))) == (status, headers, body)


def test_packing_copies_no_body() -> None:
    body = b"x" * 10_000
    assert pack_request(b"{}", body, b"")[-1] is body
    assert pack_result(200, b"", body)[-1] is body


@given(st.binary(max_size=40))
def test_anything_else_is_refused_or_consistent(payload: bytes) -> None:
    try:
        head, secret, body = unpack_request(payload)
    except WireInvalid:
        pass
    else:
        assert b"".join(pack_request(head, body, secret)) == payload
    try:
        result = unpack_result(payload)
    except WireInvalid:
        pass
    else:
        assert b"".join(pack_result(*result)) == payload


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_cut_request_without_a_body_is_refused(cut: int) -> None:
    payload = b"".join(pack_request(b"head", None, b"s"))
    with pytest.raises(WireInvalid):
        unpack_request(payload[:-cut])
