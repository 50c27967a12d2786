from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flux.build.project import Project

MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Writes files (by path relative to the project folder) and gives the project."""

    def make(files: Mapping[str, str]) -> Project:
        folder = tmp_path / "project"
        (folder / "functions").mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return Project(folder=folder, functions=folder / "functions", builds=tmp_path / "data" / "builds")

    return make
