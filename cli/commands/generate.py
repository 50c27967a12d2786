"""`flux generate`: the database's tables as TypeScript, so that editors and the build know them."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import options
from ..options import AsJson, Data, Postgres, Project, Url

Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when the file is not up to date.")]


def register(app: typer.Typer) -> None:
    app.command()(generate)


def generate(
    check: Check = False,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """Write flux.d.ts: the types of all tables.

    With it, `ctx.db.users.insert({ ... })` is completed by the editor and checked by the build.
    """
    from flux.build.sdk import GENERATED_TYPES

    from ..database import opened
    from ..errors import BadUsage
    from ..terminal import terminal

    folder = options.folder(project)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        text = found.types()
    path = folder / GENERATED_TYPES
    try:
        before = path.read_text("utf-8") if path.exists() else None
        if before != text and not check:
            path.write_text(text, "utf-8")
    except OSError as error:
        raise BadUsage(f"{path}: {error.strerror}") from None
    out = terminal()
    if json:
        out.json({"file": str(path), "changed": before != text})
    elif before == text:
        out.note(f"{path} is up to date")
    else:
        out.note(f"{path} is out of date: run `flux generate`" if check else f"wrote {path}")
    if check and before != text:
        raise typer.Exit(1)
