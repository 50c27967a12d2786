from __future__ import annotations

import hmac
import json
import time

from flux.data.mutation.identity import VALID_S, identity

REQUEST = "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c"


def test_plain() -> None:
    assert json.loads(identity(request_id=REQUEST, span=3, function="f", version="v", actor="a", tenant="t")) == {
        "request_id": REQUEST,
        "span": 3,
        "function": "f",
        "version": "v",
        "actor": "a",
        "tenant": "t",
    }
    assert set(json.loads(identity()).values()) == {None}


def test_text_that_postgres_cannot_hold() -> None:
    assert json.loads(identity(actor="a\0b"))["actor"] == "ab"


def test_with_a_key_it_is_signed_and_ends() -> None:
    text = identity(actor="a", key=b"k", pid=77)
    mac, signed = text[:64], text[64:]
    assert mac == hmac.new(b"k", f"{signed}77".encode(), "sha256").hexdigest()
    assert 0 < json.loads(signed)["until"] - time.time() <= VALID_S
