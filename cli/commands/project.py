"""`flux init`: a new project folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import AsJson


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if it does not exist.")] = Path(),
    json: AsJson = False,
) -> None:
    """Make a new project folder.

    Writes settings, a first function, a place for migrations and what editors need. Overwrites nothing.
    """
    from ..terminal import terminal

    written = create(folder)
    out = terminal()
    if json:
        out.json({"folder": str(folder.absolute()), "files": written})
        return
    out.lines([f"  {out.paint.green('+')} {folder / name}" for name in written])
    step = "" if folder.absolute() == Path.cwd() else f"cd {folder} && "
    out.note(f'next: {step}flux dev, then: flux invoke hello --data \'{{"name": "Ada"}}\'')


def create(folder: Path) -> list[str]:
    """Writes the scaffold; returns the files' names. Raises InTheWay, having written nothing, if one of them exists."""
    from ..errors import BadUsage, InTheWay
    from ..scaffold import FILES

    existing = [name for name in FILES if (folder / name).exists()]
    if existing:
        raise InTheWay(
            f"{folder / existing[0]} exists already; nothing was written", hint="give init the name of a new folder"
        )
    try:
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise BadUsage(f"{error.filename}: {error.strerror}") from None
    return list(FILES)
