"""`flux tail`: executions as they finish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, OnlyErrors, OnlyFunction, Project, Url

if TYPE_CHECKING:
    from ..client import Api
    from ..terminal import Terminal


FAILED_FROM = 500  # as the server's filter has it: a 4xx is an answer, not a failure


def register(app: typer.Typer) -> None:
    app.command()(tail)


def tail(
    function: OnlyFunction = None,
    errors: OnlyErrors = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="End after this many.")] = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Print executions as they finish.

    One line each, until Ctrl-C; a lost connection is made again.
    """
    from itertools import islice

    from ..render.list import tail_line
    from ..terminal import terminal

    api = options.api(url, project, data)
    out = terminal()
    for item in islice(finished(api, out, function=function, errors=errors), limit):
        if json:
            out.json_line(item)
        else:
            out.lines([tail_line(item, paint=out.paint)])


def finished(
    api: Api, out: Terminal, *, function: str | None, errors: bool = False, logs: bool = False
) -> Iterator[dict[str, Any]]:
    """Executions as they finish. The server filters; what an older server lets through is dropped here."""
    from ..stream import follow

    query = {"function": function, "errors": "true" if errors else None, "logs": "true" if logs else None}
    for item in follow(lambda last_id: api.events("/tail", query, last_id), note=out.note):
        if function is not None and item.get("function") != function:
            continue
        if errors and not failed(item):
            continue
        yield item


def failed(item: dict[str, Any]) -> bool:
    return int(item.get("status") or 0) >= FAILED_FROM
