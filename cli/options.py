"""Options that many commands share, declared once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import BadUsage

if TYPE_CHECKING:
    from .client import Api

Url = Annotated[
    str | None, typer.Option("--url", envvar="FLUX_URL", metavar="URL", help="Server to talk to.", show_default=False)
]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="DIR", help="Project folder; the nearest one upwards otherwise.", show_default=False
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder; .flux in the project otherwise.", show_default=False),
]
Postgres = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="This Postgres, and no other.", show_default="the project's"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="Request ID, or its first 8 characters or more.")]
OnlyFunction = Annotated[str | None, typer.Option("--function", "-f", metavar="NAME", help="Only this function.")]
OnlyErrors = Annotated[bool, typer.Option("--errors", help="Only what failed (status 500 or above).")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only from then on: 10m, 2h, 1d, or 2026-11-22T14:00.")
]

MIN_ID = 8
_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ID = re.compile(r"[0-9a-f][0-9a-f-]{7,35}")


def api(url: str | None, project: Path | None, data: Path | None) -> Api:
    """The server that these options (or the folder) mean."""
    from .client import Api
    from .connect import find

    return Api(find(url=url, project=project, data=data, cwd=Path.cwd()))


def folder(project: Path | None) -> Path:
    """The project folder that this option (or the current folder) means. Raises BadUsage when it is none at all."""
    from .connect import project_folder

    if project is None:
        return project_folder(Path.cwd())
    if not project.is_dir():
        raise BadUsage(f"{project}: there is no such folder")
    return project.absolute()


def execution_id(text: str) -> str:
    """An ID as people paste it: whole or shortened, upper case, `req:4f9a3b2c`."""
    cleaned = text.strip().lower().removeprefix("req:")
    if not _ID.fullmatch(cleaned):
        raise BadUsage(
            f"{text!r} is not a request ID",
            hint=f"give at least its first {MIN_ID} characters; `flux trace` lists them",
        )
    return cleaned


def since(text: str | None, now: datetime | None = None) -> str | None:
    """`10m` or an ISO time as an ISO time in UTC. A time without a zone is this machine's."""
    if text is None:
        return None
    try:
        if match := _AGO.fullmatch(text.strip()):
            at = (now or datetime.now(UTC)) - timedelta(seconds=int(match[1]) * _UNIT_S[match[2]])
        else:
            at = datetime.fromisoformat(text.strip())
        at = at.astimezone(UTC)
    # OverflowError: a year that no date has, of a time so long ago or in another zone.
    except (ValueError, OverflowError):
        raise BadUsage(f"{text!r} is not a time", hint="such as 10m, 2h, 1d or 2026-11-22T14:00") from None
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
