from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from flux.store.keys import ApiKey, find

SECRET = "s" * 40
KEY = ApiKey(
    id="abcdEF12",
    name="ci",
    tenant=None,
    secret_sha256=hashlib.sha256(SECRET.encode()).digest(),
    created_at=datetime(2026, 11, 22, tzinfo=UTC),
)
KEYS = {KEY.id: KEY}


def test_right_key() -> None:
    assert find(f"flux_abcdEF12_{SECRET}", KEYS) is KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flux",
        "flux__",
        "flux_abcdEF12",
        "flux_abcdEF12_",
        f"flux_abcdEF12_{SECRET}x",
        f"flux_abcdEF12_{SECRET[1:]}",
        f"flux_abcdef12_{SECRET}",
        f"other_abcdEF12_{SECRET}",
        f" flux_abcdEF12_{SECRET}",
        f"flux_abcdEF12_{SECRET}_more",
        "flux_abcdEF12_\udcff",
        "flux_abcdEF12_ü",
    ],
)
def test_wrong_key(text: str) -> None:
    assert find(text, KEYS) is None
