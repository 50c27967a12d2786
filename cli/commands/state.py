"""`flux state`: rows through time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Project, Url

if TYPE_CHECKING:
    from ..client import Api
    from ..terminal import Terminal

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
    from ..render.state import history_lines

    def show(out: Terminal, answer: Any) -> None:
        if answer["items"]:
            _page(partial(history_lines, now=datetime.now(UTC)), out, answer)
        else:
            out.note("no change of this row is recorded")

    query = {"id": id, "limit": limit, "after": after}
    _tell(options.api(url, project, data), table, "history", query, show, json=json)


def blame(
    table: Table, id: RowId, json: AsJson = False, url: Url = None, project: Project = None, data: Data = None
) -> None:
    """Show who last wrote each column of a row."""
    from ..render.state import blame_lines

    def show(out: Terminal, answer: Any) -> None:
        if answer["columns"]:
            out.lines(blame_lines(answer, now=datetime.now(UTC), paint=out.paint))
        else:
            out.note("there is no such row, and none is recorded")

    _tell(options.api(url, project, data), table, "blame", {"id": id}, show, json=json)


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
    from ..render.state import diff_lines

    query = {"from": moment(start), "to": moment(end) if end else None, "id": id, "limit": limit, "after": after}
    _tell(options.api(url, project, data), table, "diff", query, partial(_page, diff_lines), json=json)


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
    from ..render.state import at_lines

    query = {"time": moment(time), "id": id, "limit": limit, "after": after}
    _tell(options.api(url, project, data), table, "at", query, partial(_page, at_lines), json=json)


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
    from ..render.state import cause, recorded_from

    if not dry_run:
        raise BadUsage(
            "Flux prints the SQL of a restore and leaves running it to you",
            hint="flux state restore ... --dry-run > restore.sql, read it, then psql -f restore.sql",
        )

    def show(out: Terminal, answer: Any) -> None:
        out.write(answer["sql"])
        if why := recorded_from(answer):
            out.note(f"{why}: what was changed before that does not come back")
        for gap in answer["gaps"]:
            out.note(f"{cause(gap)} at {gap['at']} removed rows that are in no record: they do not come back")

    _tell(options.api(url, project, data), table, "restore", {"to": moment(to), "id": id}, show, json=json)


def moment(text: str, now: datetime | None = None) -> str:
    """`14:05` of today on this machine's clock, and what `--since` takes, as an ISO time in UTC."""
    if match := _CLOCK.fullmatch(text.strip()):
        today = (now or datetime.now(UTC)).astimezone().date().isoformat()
        hour, minute, second = match.groups()
        text = f"{today}T{int(hour):02d}:{minute}:{second or '00'}"
    return str(options.since(text, now))


def _tell(
    api: Api, table: str, what: str, query: dict[str, Any], show: Callable[[Terminal, Any], None], *, json: bool
) -> None:
    """The answer as the server wrote it, or as `show` puts it for people."""
    from ..client import segment
    from ..render.state import parsed
    from ..terminal import terminal

    out = terminal()
    text = api.text(f"/state/{segment(table)}/{what}", query)
    if json:
        out.lines([text])
    else:
        show(out, parsed(text))


def _page(lines: Callable[..., list[str]], out: Terminal, answer: Any) -> None:
    out.lines(lines(answer, paint=out.paint))
    if answer.get("next"):
        out.note(f"there is more: --after '{answer['next']}'")
