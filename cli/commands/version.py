"""`flux version`."""

from __future__ import annotations

import typer

from ..options import AsJson


def register(app: typer.Typer) -> None:
    app.command()(version)


def version(json: AsJson = False) -> None:
    """Print the version."""
    import platform
    from importlib import metadata

    import flux

    from ..terminal import terminal

    try:
        engine: str | None = metadata.version("mini-racer")
    except metadata.PackageNotFoundError:
        engine = None
    found = {"flux": flux.__version__, "python": platform.python_version(), "mini_racer": engine}
    out = terminal()
    if json:
        out.json(found)
    else:
        out.lines([f"flux {found['flux']} (Python {found['python']}, mini-racer {engine or 'missing'})"])
