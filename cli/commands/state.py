"""`flux state`: rows through time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Project, Url

if TYPE_CHECKING:
    from ..client import Api

Table = Annotated[str, typer.Argument(metavar="TABLE", help="Such as users, or public.users.")]
RowId = Annotated[str, typer.Option("--id", metavar="KEY", help="The row's primary key: 42, or a=1,b=2.")]
OptionalId = Annotated[
    str | None, typer.Option("--id", metavar="KEY", help="Only this row: 42, or a=1,b=2.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many.")]
After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Where the page before ended.", show_default=False)
]
TIME_HELP = "14:05 (today), 10m (ago), or 2026-11-22T14:05"

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Rows through time.", no_args_is_help=True, rich_markup_mode=None)
    for command in (history, blame, diff, at, restore):
        group.command()(command)
    app.add_typer(group, name="state")


def history(
    table: Table,
    id: RowId,
    limit: Limit = 20,
    after: After = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show the versions of a row, newest first: when, by whom, what changed."""
    from ..render.state import history_lines, parsed
    from ..terminal import terminal

    out = terminal()
    text = _ask(options.api(url, project, data), table, "history", {"id": id, "limit": limit, "after": after})
    if json:
        out.lines([text])
        return
    answer = parsed(text)
    if not answer["items"]:
        out.note("no change of this row is recorded")
        return
    out.lines(history_lines(answer, now=datetime.now(UTC), paint=out.paint))
    _note_more(out, answer)


def blame(
    table: Table, id: RowId, json: AsJson = False, url: Url = None, project: Project = None, data: Data = None
) -> None:
    """Show who last wrote each column of a row."""
    from ..render.state import blame_lines, parsed
    from ..terminal import terminal

    out = terminal()
    text = _ask(options.api(url, project, data), table, "blame", {"id": id})
    if json:
        out.lines([text])
        return
    answer = parsed(text)
    if answer["columns"]:
        out.lines(blame_lines(answer, now=datetime.now(UTC), paint=out.paint))
    else:
        out.note("there is no such row, and none is recorded")


def diff(
    table: Table,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help=f"The earlier moment: {TIME_HELP}.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="The later one; now otherwise.", show_default=False)
    ] = None,
    id: OptionalId = None,
    limit: Limit = 50,
    after: After = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show how a row, or a table, differs between two moments."""
    from ..render.state import diff_lines, parsed
    from ..terminal import terminal

    out = terminal()
    query = {"from": moment(start), "to": moment(end) if end else None, "id": id, "limit": limit, "after": after}
    text = _ask(options.api(url, project, data), table, "diff", query)
    if json:
        out.lines([text])
        return
    answer = parsed(text)
    out.lines(diff_lines(answer, paint=out.paint))
    _note_more(out, answer)


def at(
    table: Table,
    time: Annotated[str, typer.Argument(metavar="TIME", help=f"{TIME_HELP}.")],
    id: OptionalId = None,
    limit: Limit = 50,
    after: After = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show a row, or the rows of a table, as they stood at a moment."""
    from ..render.state import at_lines, parsed
    from ..terminal import terminal

    out = terminal()
    query = {"time": moment(time), "id": id, "limit": limit, "after": after}
    text = _ask(options.api(url, project, data), table, "at", query)
    if json:
        out.lines([text])
        return
    answer = parsed(text)
    out.lines(at_lines(answer, paint=out.paint))
    _note_more(out, answer)


def restore(
    table: Table,
    to: Annotated[str, typer.Option("--to", metavar="TIME", help=f"The moment to go back to: {TIME_HELP}.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL; needed, as Flux does not run it.")] = False,
    id: OptionalId = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Print the SQL that would bring a row, or a table, back to a moment."""
    from ..errors import BadUsage
    from ..render.state import parsed
    from ..terminal import terminal

    if not dry_run:
        raise BadUsage(
            "Flux prints the SQL of a restore and leaves running it to you",
            hint="flux state restore ... --dry-run > restore.sql, read it, then psql -f restore.sql",
        )
    out = terminal()
    text = _ask(options.api(url, project, data), table, "restore", {"to": moment(to), "id": id})
    if json:
        out.lines([text])
        return
    answer = parsed(text)
    out.write(answer["sql"])
    for gap in answer["gaps"]:
        out.note(f"{gap['operation']} at {gap['at']} removed rows that are in no record: they do not come back")


def moment(text: str, now: datetime | None = None) -> str:
    """`14:05` of today on this machine's clock, and what `--since` takes, as an ISO time in UTC."""
    if match := _CLOCK.fullmatch(text.strip()):
        today = (now or datetime.now(UTC)).astimezone().date().isoformat()
        hour, minute, second = match.groups()
        text = f"{today}T{int(hour):02d}:{minute}:{second or '00'}"
    return str(options.since(text, now))


def _ask(api: Api, table: str, what: str, query: dict[str, Any]) -> str:
    from ..client import segment

    return api.text(f"/state/{segment(table)}/{what}", query)


def _note_more(out: Any, answer: Any) -> None:
    if answer.get("next"):
        out.note(f"there is more: --after '{answer['next']}'")
