from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.errors import BadUsage
from cli.options import execution_id, folder, since

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("4f9a3b2c", "4f9a3b2c"),
        (" req:4F9A3B2C-1d2e ", "4f9a3b2c-1d2e"),
        ("4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c", "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c"),
    ],
)
def test_ids_as_people_paste_them(given: str, meant: str) -> None:
    assert execution_id(given) == meant


@pytest.mark.parametrize("given", ["", "4f9a", "4f9a3b2", "../../etc", "xyzxyzxy", "4f9a3b2c" * 5])
def test_what_cannot_be_an_id(given: str) -> None:
    with pytest.raises(BadUsage):
        execution_id(given)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        ("90s", "2026-11-22T13:58:30.000000Z"),
        ("10m", "2026-11-22T13:50:00.000000Z"),
        ("2h", "2026-11-22T12:00:00.000000Z"),
        ("1d", "2026-11-21T14:00:00.000000Z"),
        ("2026-11-22T13:00+02:00", "2026-11-22T11:00:00.000000Z"),
        ("2026-11-22T13:00:00Z", "2026-11-22T13:00:00.000000Z"),
    ],
)
def test_since(given: str | None, meant: str | None) -> None:
    assert since(given, NOW) == meant


@pytest.mark.parametrize("given", ["yesterday", "10", "m", "-5m", "999999999d", "0001-01-01T00:00+14:00"])
def test_what_is_not_a_time(given: str) -> None:
    with pytest.raises(BadUsage):
        since(given, NOW)


def test_the_project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flux.toml").touch()
    inner = tmp_path / "functions" / "users"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert folder(None) == tmp_path
    assert folder(Path("..")).resolve() == inner.parent
    with pytest.raises(BadUsage, match="nowhere: there is no such folder"):
        folder(Path("nowhere"))
