from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux.build import Project, store


@dataclass(frozen=True)
class Workbench:
    """A project folder to write files into, and the store that its builds go to."""

    project: Project

    def write(self, files: Mapping[str, str]) -> None:
        """Files by path relative to the project folder."""
        for name, text in files.items():
            path = self.project.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def bundle(self, version: str) -> str:
        return store.load_bundle(self.project.builds, version)


MakeWorkbench = Callable[[str], Workbench]


@pytest.fixture
def make_workbench(tmp_path: Path) -> MakeWorkbench:
    """Several projects side by side, by name."""

    def make(name: str) -> Workbench:
        folder = tmp_path / name
        (folder / "functions").mkdir(parents=True)
        return Workbench(
            Project(folder=folder, functions=folder / "functions", builds=tmp_path / f"{name}-data" / "builds")
        )

    return make


@pytest.fixture
def workbench(make_workbench: MakeWorkbench) -> Workbench:
    return make_workbench("project")
