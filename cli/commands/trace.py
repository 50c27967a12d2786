"""`flux trace`: one execution as a tree, or the recent ones as a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, OnlyErrors, OnlyFunction, Project, Since, Url

if TYPE_CHECKING:
    from flux.record.hints import Hint

    from ..client import Api

PAGE = 100  # executions asked for at once
LAST_WINDOW = 50  # how far back --last looks for a request among jobs and replays

Filters = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Request ID, or its first 8 characters or more.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", "-l", help="The most recent request that matches.")] = False,
    flame: Annotated[bool, typer.Option("--flame", help="Bars on a time line instead of a tree.")] = False,
    logs: Annotated[bool, typer.Option("--logs", help="What the function logged, under the tree.")] = False,
    mutations: Annotated[
        bool, typer.Option("--mutations", "-m", help="How many rows it changed in which tables, under the tree.")
    ] = False,
    slow: Annotated[
        float, typer.Option("--slow", metavar="MS", help="Mark spans that took this long themselves.")
    ] = 100,
    function: OnlyFunction = None,
    status: Annotated[int | None, typer.Option("--status", metavar="CODE", help="Only this HTTP status.")] = None,
    errors: OnlyErrors = False,
    kind: Annotated[str | None, typer.Option("--kind", help="Only http, job, invoke, replay or rehearsal.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many to list.")] = 20,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show what happened in a request.

    Without an ID, lists the recent ones.
    """
    from ..terminal import terminal

    api = options.api(url, project, data)
    out = terminal()
    filters = {
        "function": function,
        "status": status,
        "errors": "true" if errors else None,
        "kind": kind,
        "since": options.since(since),
    }
    if id is None and not last:
        items = executions(api, filters, limit)
        if json:
            out.json(items)
        elif items:
            from datetime import UTC, datetime

            from ..render.list import execution_table

            out.lines(execution_table(items, now=datetime.now(UTC), paint=out.paint))
        else:
            out.note("no executions" + (" match" if any(filters.values()) else " recorded yet"))
        return
    wanted = options.execution_id(id) if id is not None else newest(api, filters)
    execution = api.get(f"/executions/{wanted}")
    if json:
        out.json({**execution, "hints": [hint.to_json() for hint in _hints(api, execution)]})
    elif flame:
        from ..render.flame import flame_lines

        out.lines(flame_lines(execution, width=out.width, paint=out.paint, slow_ms=slow))
    else:
        from ..render.trace import trace_lines

        found = _hints(api, execution)
        lines = trace_lines(
            execution, paint=out.paint, slow_ms=slow, with_logs=logs, with_mutations=mutations, found=found
        )
        out.lines(lines)


def _hints(api: Api, execution: Any) -> list[Hint]:
    from flux.record.hints import hints

    from ..explaining import with_indexes

    return with_indexes(api, execution, hints(execution))


def executions(api: Api, filters: Filters, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` executions that match, over as many pages as that takes."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while len(found) < limit:
        page = api.get("/executions", {**filters, "after": after, "limit": min(PAGE, limit - len(found))})
        found += page["items"]
        after = page.get("next")
        if not after or not page["items"]:
            break
    return found


def newest(api: Api, filters: Filters) -> str:
    """The request that a person means by "the last one": not the job that it queued, nor a replay, unless asked for."""
    from ..errors import NothingThere

    items = executions(api, filters, 1 if filters["kind"] else LAST_WINDOW)
    if not items:
        raise NothingThere("no execution matches", hint="`flux trace` lists the recent ones")
    requests = (item for item in items if item.get("kind") in ("http", "invoke"))
    return str(next(requests, items[0])["request_id"])
