"""`flux explain`: how a query is carried out, for whom, and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Project, Url

if TYPE_CHECKING:
    from ..client import Api
    from ..render.text import Json

_CALLER = "; for a query, or with --payload"


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|-|FUNCTION",
            help="A query (JSON), or a function: the queries of its last execution, or of one with --payload.",
        ),
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="ID", help="The queries of this execution instead.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help=f"Role of the caller{_CALLER}.")] = None,
    uid: Annotated[str | None, typer.Option("--uid", metavar="UID", help=f"$auth.uid{_CALLER}.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help=f"$auth.tenant{_CALLER}.")] = None,
    claims: Annotated[str | None, typer.Option("--claims", metavar="JSON", help=f"$auth.claims{_CALLER}.")] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Carry out what only reads, and measure; writes are never carried out.")
    ] = False,
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload",
            metavar="JSON|@FILE|-",
            help="Run the function with this input, its changes rolled back, and explain its queries.",
        ),
    ] = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show how a query is carried out: policies, SQL, Postgres' plan, missing indexes.

    Nothing remains written: with --payload a function runs, but what it changes in the database is rolled back, and
    `fetch` and `invoke` are refused.
    """
    from ..errors import BadUsage
    from ..render.explain import explain_lines
    from ..terminal import terminal

    if (what is None) == (request is None):
        raise BadUsage("give either a file with a query, - or the name of a function, or --request ID")
    caller = _caller(role, uid, tenant, claims)
    api = options.api(url, project, data)
    if payload is not None:
        execution = _rehearsed(api, what, payload, caller)
        _explain_execution(api, execution, analyze=analyze, json=json)
        return
    query = None if what is None else _query(what)
    if query is not None:
        out = terminal()
        answer = api.post("/explain", {"query": query, **caller, "analyze": analyze})
        if json:
            out.json(answer)
        else:
            out.lines(explain_lines(answer, paint=out.paint))
        return
    if caller:
        raise BadUsage("the caller of an execution is in its record; --role and the like are for a query")
    _explain_execution(api, _execution(api, what, request), analyze=analyze, json=json)


def _explain_execution(api: Api, execution: Json, *, analyze: bool, json: bool) -> None:
    from ..explaining import explained, recorded
    from ..render.explain import recorded_lines
    from ..terminal import terminal

    out = terminal()
    found = list(explained(api, recorded(execution), execution.get("function"), analyze=analyze))
    if json:
        out.json({"request_id": execution["request_id"], "function": execution.get("function"), "calls": found})
        return
    blocks = ["\n".join(recorded_lines(item, paint=out.paint)) for item in found]
    if blocks:
        out.lines("\n\n".join(blocks).split("\n"))
    else:
        out.note("this execution asked the database nothing")
    out.note(f"request {execution['request_id']}")


def _rehearsed(api: Api, function: str | None, payload: str, caller: dict[str, Any]) -> Json:
    """The record of the function run with this input, for this caller, without consequences."""
    import json

    from ..client import segment
    from ..errors import BadUsage
    from ..render.text import error_line
    from ..terminal import terminal
    from .invoke import read_input

    if function is None:
        raise BadUsage("--payload is the input of a function: `flux explain FUNCTION --payload JSON`")
    input = json.loads(read_input(payload, option="--payload"))
    told = api.post(f"/rehearse/{segment(function)}", {"input": input, **caller})
    execution: Json = api.get(f"/executions/{told['request_id']}")
    if execution.get("error"):
        terminal().note(f"the function answered {told['status']}: {error_line(execution['error'])}")
    return execution


def _execution(api: Api, function: str | None, request: str | None) -> Json:
    from ..errors import NothingThere

    if request is not None:
        found: Json = api.get(f"/executions/{options.execution_id(request)}")
        return found
    items = api.get("/executions", {"function": function, "limit": 1})["items"]
    if not items:
        raise NothingThere(
            f"there is no file {function}, and no execution of a function of that name is recorded",
            hint="`flux explain FILE` explains a query; `flux explain --request ID` those of an execution",
        )
    newest: Json = api.get(f"/executions/{items[0]['request_id']}")
    return newest


def _query(what: str) -> Any:
    """The query in the file; None when the name is no file's."""
    import json
    import sys

    from ..errors import BadUsage, NothingThere

    if what != "-" and not Path(what).is_file():
        if what.endswith(".json"):
            raise NothingThere(f"there is no file {what}")
        return None
    try:
        query = json.loads(sys.stdin.read() if what == "-" else Path(what).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadUsage(f"{what}: no query in JSON: {error}") from None
    if not isinstance(query, dict):
        raise BadUsage(f'{what}: a query is an object, such as {{"table": "users", "where": {{"plan": "pro"}}}}')
    return query


def _caller(role: str | None, uid: str | None, tenant: str | None, claims: str | None) -> dict[str, Any]:
    import json

    from ..errors import BadUsage

    found: dict[str, Any] = {"role": role, "uid": uid, "tenant": tenant}
    try:
        found["claims"] = None if claims is None else json.loads(claims)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"--claims: not valid JSON: {error}") from None
    return {name: value for name, value in found.items() if value is not None}
