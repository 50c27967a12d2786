"""Imports point one way (docs/DESIGN.md, "Rooms")."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "flux/ipc": (
        "flux.master",
        "flux.workers",
        "flux.store",
        "flux.build",
        "flux.replay",
        "flux.record",
        "aiohttp",
        "asyncpg",
    ),
    "flux/record": ("flux.master", "flux.workers", "flux.store", "flux.build", "flux.replay", "aiohttp", "asyncpg"),
    "flux/data": ("flux.master", "flux.workers", "flux.build", "flux.replay", "aiohttp"),
    "flux/store": ("flux.master", "flux.workers", "flux.build", "flux.replay", "aiohttp"),
    "flux/build": ("flux.master", "flux.workers", "flux.replay", "flux.store", "aiohttp", "asyncpg"),
    "flux/replay": ("flux.master", "aiohttp", "asyncpg"),
    "flux/workers": ("flux.master",),
}


def imported(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module.split(".") if node.module else ())))
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_a_room_does_not_look_into_those_above_it(room: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / room).rglob("*.py")
        for name in imported(path)
        for forbidden in FORBIDDEN[room]
        if name == forbidden or name.startswith(forbidden + ".")
    }
    assert not found


def test_the_command_line_reaches_into_the_server_only_to_start_it() -> None:
    allowed = {"commands/serve.py", "commands/doctor.py", "commands/project.py", "commands/version.py", "database.py"}
    found = {
        str(path.relative_to(ROOT / "cli"))
        for path in (ROOT / "cli").rglob("*.py")
        if any(name.startswith(("flux.master", "flux.workers", "flux.store")) for name in imported(path))
    }
    assert {name for name in found if not name.startswith("diagnosis/")} <= allowed
