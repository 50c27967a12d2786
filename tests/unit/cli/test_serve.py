from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.serve import overrides, project_of
from cli.errors import BadUsage
from flux.config import load


def test_project_is_the_one_that_the_functions_belong_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = tmp_path / "shop" / "functions"
    functions.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert project_of(None, None) == tmp_path
    assert project_of(None, functions) == tmp_path
    (tmp_path / "shop" / "flux.toml").touch()
    assert project_of(None, Path("shop/functions")) == tmp_path / "shop"
    assert project_of(Path("shop"), None) == tmp_path / "shop"


def test_project_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BadUsage):
        project_of(tmp_path / "none", None)


def test_options_are_settings_and_folders_are_relative_to_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = overrides(3, 4001, "0.0.0.0", Path("f"), Path("d"), "postgresql://db/app", False)
    settings = load(tmp_path / "project", chosen, env={})
    assert (settings.server.workers, settings.server.port, settings.server.host) == (3, 4001, "0.0.0.0")
    assert (settings.functions, settings.data) == (tmp_path / "f", tmp_path / "d")
    assert settings.database.url == "postgresql://db/app"
    assert settings.server.pin is False


def test_options_not_given_leave_the_settings_alone(tmp_path: Path) -> None:
    assert load(tmp_path, overrides(None, None, None, None, None, None, None), env={}) == load(tmp_path, env={})
