from __future__ import annotations

from pathlib import Path

from cli.commands.project import create
from flux.build.pipeline import build_project
from flux.config import load
from flux.store.migrate import read_folder


async def test_a_new_project_type_checks_and_builds(tmp_path: Path) -> None:
    create(tmp_path)
    manifest = await build_project(load(tmp_path, env={}))
    assert [str(route.path) for route in manifest.functions["hello"].routes] == ["/hello"]
    assert read_folder(tmp_path / "migrations") == []  # its README is not mistaken for one
