from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest

from flux.record.seal import KEY_BYTES, Seal, seal_key


@pytest.fixture
def seal() -> Seal:
    return Seal(bytes(range(KEY_BYTES)))


def test_what_was_sealed_can_be_opened_and_not_read(seal: Seal) -> None:
    sealed = seal.close(b'{"key":"material"}')
    assert b"material" not in sealed
    assert seal.open(orjson.loads(sealed)) == b'{"key":"material"}'


def test_the_same_value_is_the_same_text(seal: Seal) -> None:
    assert seal.close(b'"a"') == seal.close(b'"a"') != seal.close(b'"b"')


@pytest.mark.parametrize(
    "value", [None, 1, [], {"key": 1}, {"$sealed": 1}, {"$sealed": "!"}, {"$sealed": "AAAA"}, {"$sealed": "", "a": 1}]
)
def test_anything_else_is_not_sealed(seal: Seal, value: object) -> None:
    assert seal.open(value) is None


def test_another_installation_cannot_open_it(seal: Seal) -> None:
    assert Seal(bytes(KEY_BYTES)).open(orjson.loads(seal.close(b"1"))) is None


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = seal_key(tmp_path)
    assert len(key) == KEY_BYTES
    assert seal_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "seal.key").stat().st_mode) == 0o600
