"""`flux logs`: what functions logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, OnlyFunction, Project, Since, Url

if TYPE_CHECKING:
    from ..client import Api
    from ..terminal import Terminal

LEVELS = ("debug", "info", "warn", "error")


def register(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Only of this request.")] = None,
    function: OnlyFunction = None,
    level: Annotated[
        str | None, typer.Option("--level", metavar="LEVEL", help="Only this level or worse: debug, info, warn, error.")
    ] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the newest.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on with new ones until Ctrl-C.")] = False,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Print what functions logged.

    Entries of `console.*` and `ctx.log`, oldest first.
    """
    from ..errors import BadUsage
    from ..terminal import terminal

    if level is not None and level not in LEVELS:
        raise BadUsage(f"{level!r} is not a level", hint="one of " + ", ".join(LEVELS))
    if follow and id is not None:
        raise BadUsage("--follow and an ID exclude each other", hint="a finished request logs nothing more")
    api = options.api(url, project, data)
    out = terminal()
    query = {
        "request_id": options.execution_id(id) if id is not None else None,
        "function": function,
        "level": level,
        "since": options.since(since),
        "limit": limit,
    }
    entries = sorted(api.get("/logs", query)["items"], key=lambda entry: str(entry["time"]))
    if json and not follow:
        out.json(entries)
        return
    for entry in entries:
        show(entry, out, json)
    for entry in new_entries(api, out, function, level) if follow else ():
        show(entry, out, json)


def show(entry: dict[str, Any], out: Terminal, json: bool) -> None:
    from ..render.logs import log_line

    if json:
        out.json_line(entry)
    else:
        out.lines([log_line(entry, paint=out.paint)])


def new_entries(api: Api, out: Terminal, function: str | None, level: str | None) -> Iterator[dict[str, Any]]:
    """The entries of each execution that finishes from now on."""
    from datetime import timedelta

    from ..render.text import parse_time
    from .tail import finished

    worst = LEVELS.index(level or LEVELS[0])
    for item in finished(api, out, function=function, logs=True):
        started = parse_time(item["started_at"])
        logs = item["logs"] if "logs" in item else api.get(f"/executions/{item['request_id']}")["logs"]
        for entry in logs or ():
            # A level we do not know is shown rather than lost.
            if entry.get("level") in LEVELS and LEVELS.index(entry["level"]) < worst:
                continue
            time = started + timedelta(microseconds=int(entry.get("t_us") or 0))
            yield {
                "time": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "request_id": item["request_id"],
                "function": item.get("function"),
                **{key: entry.get(key) for key in ("level", "message", "fields", "source")},
            }
