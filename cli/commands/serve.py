"""`flux serve` and `flux dev`: the server itself, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="Project folder (flux.toml, functions/, migrations/).",
        show_default="that of --functions, else this one",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", "-w", metavar="N", help="Worker processes.", show_default="CPUs")
]
Port = Annotated[int | None, typer.Option("--port", "-p", metavar="PORT", help="TCP port.", show_default="4000")]
Host = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.", show_default="127.0.0.1")
]
Functions = Annotated[
    Path | None, typer.Option("--functions", metavar="DIR", help="Functions' folder.", show_default="functions")
]
DataFolder = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.", show_default=".flux")]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="Your own Postgres (15 or newer).", show_default="embedded"),
]
Pin = Annotated[bool | None, typer.Option("--pin/--no-pin", help="Keep each worker on one CPU.", show_default="pin")]


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(dev)


def serve(
    workers: Workers = None,
    port: Port = None,
    host: Host = None,
    functions: Functions = None,
    data: DataFolder = None,
    database: Database = None,
    pin: Pin = None,
    project: ProjectFolder = None,
) -> None:
    """Serve the project's functions.

    Runs until SIGTERM or Ctrl-C, and then finishes the requests that it has accepted.
    """
    run(project, functions, overrides(workers, port, host, functions, data, database, pin), dev=False)


def dev(
    workers: Workers = None,
    port: Port = None,
    host: Host = None,
    functions: Functions = None,
    data: DataFolder = None,
    database: Database = None,
    pin: Pin = None,
    project: ProjectFolder = None,
) -> None:
    """Serve while you work on the functions.

    Like serve; also loads .env, rebuilds on save and prints traces as they happen.
    """
    run(project, functions, overrides(workers, port, host, functions, data, database, pin), dev=True)


def overrides(
    workers: int | None,
    port: int | None,
    host: str | None,
    functions: Path | None,
    data: Path | None,
    database: str | None,
    pin: bool | None,
) -> dict[str, Any]:
    """By the keys of flux.toml. Folders named here are relative to where the command runs, not to the project."""
    return {
        "server.workers": workers,
        "server.port": port,
        "server.host": host,
        "server.pin": pin,
        "functions": functions.absolute() if functions is not None else None,
        "data": data.absolute() if data is not None else None,
        "database.url": database,
    }


def project_of(project: Path | None, functions: Path | None) -> Path:
    """The folder named, else the project that the functions' folder belongs to, else the current folder."""
    from ..connect import SETTINGS_FILE
    from ..errors import BadUsage

    if project is not None:
        if not project.is_dir():
            raise BadUsage(f"{project}: there is no such folder", hint="`flux init DIR` makes a project")
        return project.absolute()
    if functions is not None:
        above = functions.absolute().parent
        return next((folder for folder in (above, *above.parents) if (folder / SETTINGS_FILE).is_file()), Path.cwd())
    return Path.cwd()


def run(project: Path | None, functions: Path | None, chosen: dict[str, Any], *, dev: bool) -> None:
    from flux.config import load

    from ..served import Served, remember

    folder = project_of(project, functions)
    if dev:
        from dotenv import load_dotenv

        load_dotenv(folder / ".env")  # before the settings, which the environment can set
    settings = load(folder, chosen)

    from flux.master.serve import run as serve_until_told

    remember(Served(project=settings.project, data=settings.data))
    raise typer.Exit(serve_until_told(settings, dev=dev))
