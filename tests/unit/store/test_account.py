from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from flux.store.account import Account, choose, let_through

# An owner and group that no folder here has.
STRANGER = Account(uid=54_321, gid=54_321)


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_ordinary_user_stays_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose(tmp_path) is None


def test_root_becomes_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = choose(tmp_path / "not there yet")
    assert account is not None
    assert account.uid != 0


def test_only_passage_is_given_and_only_where_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    closed, opened = tmp_path / "closed", tmp_path / "closed" / "open"
    opened.mkdir(parents=True)
    closed.chmod(0o700)
    opened.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        let_through(opened, STRANGER)
    assert mode(closed) == 0o701
    assert mode(opened) == 0o755
    assert str(closed) in caplog.text
    assert f"through {opened}," not in caplog.text


def test_owner_needs_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    let_through(tmp_path, None)
    assert mode(tmp_path) == 0o700
