"""The command line knows the server by its API only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CLI = Path(__file__).parents[3] / "cli"

EVERYWHERE = {"flux.errors"}
# What runs in this process, on this machine, before there is a server to ask.
ALSO = {
    "commands/serve.py": {"flux.config", "flux.master.serve"},
    "commands/version.py": {"flux"},
    # The project's own files are here and not at the server: schemas to evaluate, migrations to read.
    "commands/db.py": {
        "flux.build.project",
        "flux.build.schemas",
        "flux.config",
        "flux.data.declare.document",
        "flux.data.declare.migration",
    },
    "commands/generate.py": {"flux.build.sdk"},
    # The database without a server.
    "database.py": {
        "flux.config",
        "flux.data.declare",
        "flux.data.declare.compare",
        "flux.data.declare.document",
        "flux.data.schema.introspect",
        "flux.data.schema.typescript",
        "flux.store",
        "flux.store.migrate",
        "flux.store.pool",
        "flux.store.shape",
    },
    # Pure: what stands out in spans, and which query a span was; so that both say the same everywhere.
    "commands/trace.py": {"flux.record.hints"},
    "explaining.py": {"flux.data.explain.recorded", "flux.data.query", "flux.failure", "flux.record.hints"},
    "render/trace.py": {"flux.record.hints"},
    "diagnosis/checks.py": {"flux.config"},
    "diagnosis/project.py": {"flux.config"},
}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("file", sorted(CLI.rglob("*.py")), ids=lambda file: str(file.relative_to(CLI)))
def test_imports_of_the_server(file: Path) -> None:
    of_flux = {name for name in imported(file) if name.partition(".")[0] == "flux"}
    assert of_flux <= EVERYWHERE | ALSO.get(str(file.relative_to(CLI)), set())


def test_rendering_is_pure() -> None:
    forbidden = {"os", "sys", "time", "socket", "http.client", "typer", "subprocess", "pathlib"}
    for file in (CLI / "render").glob("*.py"):
        assert not forbidden & set(imported(file)), file.name
