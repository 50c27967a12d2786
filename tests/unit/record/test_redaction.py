from __future__ import annotations

from typing import Any

import pytest

from flux.record.redaction import record_headers, record_keys

SECRET = {"type": "secret", "usages": ["sign"], "data": "c2VjcmV0"}
PUBLIC = {"type": "public", "usages": ["verify"], "data": "cHVibGlj"}


@pytest.mark.parametrize("name", ["Authorization", "cookie", "X-API-Key", "x-mine"])
def test_headers_that_authenticate_somebody(name: str) -> None:
    assert record_headers([("a", "b"), (name, "value")], ("x-mine",)) == [("a", "b"), (name, "[redacted]")]


def test_headers_without_secrets_stay_the_same_object() -> None:
    headers = [("a", "b")]
    assert record_headers(headers) is headers


@pytest.mark.parametrize("name", ["key", "wrapping_key", "unwrapping_key"])
def test_secret_keys_lose_their_data_only(name: str) -> None:
    assert record_keys({name: SECRET, "data": "x"}) == {name: {**SECRET, "data": "[redacted]"}, "data": "x"}
    assert record_keys({name: PUBLIC}) == {name: PUBLIC}


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ({"format": "raw", "key_data": "c2VjcmV0"}, "[redacted]"),
        ({"format": "jwk", "key_data": {"k": "c2VjcmV0"}}, "[redacted]"),
        ({"format": "spki", "key_data": "cHVibGlj"}, "cHVibGlj"),
    ],
)
def test_keys_on_their_way_in(args: dict[str, Any], shown: str) -> None:
    assert record_keys(args)["key_data"] == shown
