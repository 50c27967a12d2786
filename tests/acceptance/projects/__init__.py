"""The projects that acceptance tests serve, each a folder here. Tests work on copies, which they may change."""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent


def copy_of(name: str, into: Path, toml: str = "") -> Path:
    """The project `name` in a folder of its own under `into`, with this flux.toml."""
    folder = into / name
    shutil.copytree(HERE / name, folder)
    (folder / "flux.toml").write_text(toml)
    return folder
