"""`flux db`: declared schemas (`schemas/*.schema.ts`), the database, and the migrations between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import AsJson, Data, Project, Url

if TYPE_CHECKING:
    from ..database import Comparison, Database, Documents

Postgres = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="This Postgres, and no other.", show_default="the project's"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print the SQL.")]
AllowDestructive = Annotated[bool, typer.Option("--allow-destructive", help="Also make changes that lose data.")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="WORDS", help="What to call the migration.", show_default=False)
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Tables: declared schemas, migrations, and what is in the database.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("push")(push)
    group.command("diff")(diff)
    group.command("migrate")(migrate)
    group.command("status")(status)
    app.add_typer(group, name="db")


def push(
    dry_run: DryRun = False,
    allow_destructive: AllowDestructive = False,
    name: Name = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """Bring the database to what schemas/*.schema.ts declare.

    Writes the SQL as the next file in migrations/ and applies it. Refuses to lose data unless told to.
    """
    from flux.data.declare.migration import file_name

    from ..database import opened, write_migration
    from ..errors import CommandFailed
    from ..terminal import terminal

    folder = _folder(project)
    documents = _documents(folder)
    out = terminal()
    with opened(folder=folder, url=url, data=data, database=database) as found:
        _refuse_pending(found, folder)
        compared = found.compare(documents)
        if dry_run:
            _show_dry(compared, json=json)
            return
        if not compared.changes:
            _say(json, {"changes": [], "migration": None}, "nothing to do: the database is as declared")
            return
        if compared.destructive and not allow_destructive:
            raise CommandFailed(
                "this would lose data; nothing was changed:\n" + "\n".join(_lines(compared.destructive)),
                code="DESTRUCTIVE",
                hint="--allow-destructive does it; tables that something else looks after belong into `ignore`",
            )
        number = max((migration.number for migration in _migrations(folder)), default=0) + 1
        path = write_migration(folder, file_name(number, name or _words(compared.changes)), compared.migration)
        try:
            found.migrate(_migrations(folder), folder / "migrations")
        except BaseException:
            path.unlink()  # nothing of it has happened: it is one transaction
            raise
    if json:
        out.json({"changes": compared.changes, "migration": path.name})
        return
    out.lines(_lines(compared.changes))
    out.note(f"applied {path}: commit it with the schema")


def diff(
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """Tell what differs between schemas/*.schema.ts and the database. Exit code 1 when something does."""
    from ..database import opened
    from ..terminal import terminal

    folder = _folder(project)
    documents = _documents(folder)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        compared = found.compare(documents)
    if json or compared.changes:
        out = terminal()
        if json:
            out.json({"changes": compared.changes})
        else:
            out.lines(_lines(compared.changes))
    else:
        _say(False, None, "no difference: the database is as declared")
    if compared.changes:
        raise typer.Exit(1)


def migrate(
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """Apply the files in migrations/ that have not been applied yet, in one transaction."""
    from ..database import opened
    from ..terminal import terminal

    folder = _folder(project)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        applied = found.migrate(_migrations(folder), folder / "migrations")
    if json:
        terminal().json({"applied": applied})
    elif applied:
        terminal().lines([f"applied {name}" for name in applied])
    else:
        _say(False, None, "nothing to do: every migration has been applied")


def status(
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """List migrations: applied, pending, changed since, missing here. Exit code 1 when one is changed or missing."""
    from ..database import opened
    from ..terminal import terminal

    folder = _folder(project)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        rows = states(found, folder)
    out = terminal()
    if json:
        out.json({"migrations": rows})
    elif rows:
        width = max(len(row["name"]) for row in rows)
        out.lines([f"{row['state']:<8} {row['name']:<{width}}  {row['applied_at'] or ''}".rstrip() for row in rows])
    else:
        out.note("no migrations yet: `flux db push` writes them from schemas/*.schema.ts")
    if any(row["state"] in ("changed", "missing") for row in rows):
        raise typer.Exit(1)


def states(found: Database, folder: Path) -> list[dict[str, Any]]:
    """name, state (applied, pending, changed, missing) and applied_at of every migration, in order."""
    files = {migration.name: migration.sha256 for migration in _migrations(folder)}
    applied = {each["name"]: each for each in found.applied()}
    rows = []
    for name in sorted({*files, *applied}):
        done = applied.get(name)
        if done is None:
            state = "pending"
        elif name not in files:
            state = "missing"
        else:
            state = "applied" if files[name] == done["sha256"] else "changed"
        rows.append({"name": name, "state": state, "applied_at": done["applied_at"] if done else None})
    return rows


def _refuse_pending(found: Database, folder: Path) -> None:
    from ..errors import InTheWay

    waiting = [row["name"] for row in states(found, folder) if row["state"] == "pending"]
    if waiting:
        raise InTheWay(f"not applied yet: {', '.join(waiting)}", hint="apply with `flux db migrate` first")


def _folder(project: Path | None) -> Path:
    from ..connect import project_folder
    from ..errors import BadUsage

    if project is not None and not project.is_dir():
        raise BadUsage(f"{project}: there is no such folder")
    return project.absolute() if project is not None else project_folder(Path.cwd())


def _documents(folder: Path) -> Documents:
    """What the schemas declare, evaluated. Raises BuildFailed, and ConfigError for what cannot be meant."""
    import asyncio

    from flux.build.project import Project
    from flux.build.schemas import read_schemas
    from flux.config import load
    from flux.data.declare.document import read_documents

    documents = asyncio.run(read_schemas(Project.of(load(folder))))
    read_documents(documents)
    return documents


def _migrations(folder: Path) -> list[Any]:
    from ..database import read_migrations

    return list(read_migrations(folder))


def _words(changes: list[dict[str, Any]]) -> str:
    """What a migration is called: after a table that comes or goes, else after the first change."""
    summaries = [str(change["summary"]) for change in changes]
    return next((each for each in summaries if each.startswith(("create table", "drop table"))), summaries[0])


def _show_dry(compared: Comparison, *, json: bool) -> None:
    from ..terminal import terminal

    if json:
        terminal().json({"changes": compared.changes, "sql": compared.migration})
    elif compared.changes:
        terminal().write(compared.migration)
    else:
        terminal().note("nothing to do: the database is as declared")


def _say(json: bool, value: Any, text: str) -> None:
    from ..terminal import terminal

    if json:
        terminal().json(value)
    else:
        terminal().note(text)


def _lines(changes: list[dict[str, Any]]) -> list[str]:
    lines = []
    for change in changes:
        lines.append(f"  {change['summary']}")
        lines += [f"      loses {change['lost']}"] if change["lost"] else []
        lines += [f"      note: {change['note']}"] if change["note"] else []
    return lines
