"""`flux db`: declared schemas (`schemas/*.schema.ts`), the database, and the migrations between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Postgres, Project, Url

if TYPE_CHECKING:
    from ..database import Database, Documents

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print the SQL.")]
AllowDestructive = Annotated[bool, typer.Option("--allow-destructive", help="Also make changes that lose data.")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="WORDS", help="What to call the migration.", show_default=False)
]

_NOTHING_TO_PUSH = "nothing to do: the database is as declared"


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
    from flux.errors import ConfigError

    from ..database import opened, write_migration
    from ..errors import BadUsage, CommandFailed, InTheWay, NotAllowed, NothingThere
    from ..terminal import terminal

    folder = options.folder(project)
    documents = _documents(folder)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        _refuse_pending(found, folder)
        compared = found.compare(documents)
        if dry_run:
            sql = compared.migration.removesuffix("\n").split("\n") if compared.changes else []
            _tell({"changes": compared.changes, "sql": compared.migration}, sql, _NOTHING_TO_PUSH, json=json)
            return
        if not compared.changes:
            _tell({"changes": [], "migration": None}, [], _NOTHING_TO_PUSH, json=json)
            return
        if compared.destructive and not allow_destructive:
            raise CommandFailed(
                "this would lose data; nothing was changed:\n" + "\n".join(_lines(compared.destructive)),
                code="DESTRUCTIVE",
                hint="--allow-destructive does it; tables that something else looks after belong into `ignore`",
            )
        path = write_migration(
            folder, file_name(_next_number(found, folder), name or _words(compared.changes)), compared.migration
        )
        try:
            found.migrate(_migrations(folder), folder / "migrations")
        except (ConfigError, InTheWay, BadUsage, NotAllowed, NothingThere):
            path.unlink()  # nothing of it has happened: it is one transaction
            raise
        except BaseException:
            terminal().note(f"kept {path}: `flux db status` tells whether it has been applied")
            raise
    out = terminal()
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

    folder = options.folder(project)
    documents = _documents(folder)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        compared = found.compare(documents)
    changes = compared.changes
    _tell({"changes": changes}, _lines(changes), "no difference: the database is as declared", json=json)
    if changes:
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

    folder = options.folder(project)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        applied = found.migrate(_migrations(folder), folder / "migrations")
    lines = [f"applied {name}" for name in applied]
    _tell({"applied": applied}, lines, "nothing to do: every migration has been applied", json=json)


def status(
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
    database: Postgres = None,
) -> None:
    """List migrations: applied, pending, changed since, missing here. Exit code 1 when one is changed or missing."""
    from ..database import opened

    folder = options.folder(project)
    with opened(folder=folder, url=url, data=data, database=database) as found:
        rows = states(found, folder)
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [f"{row['state']:<8} {row['name']:<{width}}  {row['applied_at'] or ''}".rstrip() for row in rows]
    none = "no migrations yet: `flux db push` writes them from schemas/*.schema.ts"
    _tell({"migrations": rows}, lines, none, json=json)
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


def _next_number(found: Database, folder: Path) -> int:
    """Behind the files here, and behind those that others have applied."""
    numbers = [migration.number for migration in _migrations(folder)]
    numbers += [int(each["name"][:4]) for each in found.applied()]
    return max(numbers, default=0) + 1


def _documents(folder: Path) -> Documents:
    """What the schemas declare, evaluated. Raises NotFound, BuildFailed, and ConfigError for what cannot be meant."""
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


def _tell(value: Any, lines: list[str], otherwise: str, *, json: bool) -> None:
    """The value as JSON, or lines for people; `otherwise` is the note where there are none."""
    from ..terminal import terminal

    if json:
        terminal().json(value)
    elif lines:
        terminal().lines(lines)
    else:
        terminal().note(otherwise)


def _lines(changes: list[dict[str, Any]]) -> list[str]:
    lines = []
    for change in changes:
        lines.append(f"  {change['summary']}")
        lines += [f"      loses {change['lost']}"] if change["lost"] else []
        lines += [f"      note: {change['note']}"] if change["note"] else []
    return lines
