from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from cli.main import main
from flux.config import load


def test_init_makes_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shop" / "api"
    assert main(["init", str(folder)]) == 0
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert made == {"flux.toml", "functions/hello.ts", "migrations/README", "deno.json", "tsconfig.json", ".gitignore"}
    assert "hello.ts" in capsys.readouterr().out


def test_what_init_writes_is_valid(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path), "--json"]) == 0
    assert load(tmp_path, env={}).server.port == 4000
    tomllib.loads((tmp_path / "flux.toml").read_text())
    json.loads((tmp_path / "deno.json").read_text())
    json.loads((tmp_path / "tsconfig.json").read_text())


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "hello.ts").write_text("mine")
    assert main(["init", str(tmp_path)]) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["functions"]
    assert (tmp_path / "functions" / "hello.ts").read_text() == "mine"
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "hello.ts exists already" in error


def test_init_where_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main(["init", str(tmp_path / "file" / "below")]) == 2
