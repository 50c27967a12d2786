"""`flux policy`: who may do what with which columns and rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Project, Url

if TYPE_CHECKING:
    from ..terminal import Terminal

TableName = Annotated[str, typer.Argument(metavar="TABLE", help="Name of the table.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Policies: list, show, set, remove, test, explain.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("list")(list_policies)
    group.command("show")(show)
    group.command("set")(set_policy)
    group.command("remove")(remove)
    group.command("explain")(explain)
    group.command("test")(try_policy)
    app.add_typer(group, name="policy")


def list_policies(json: AsJson = False, url: Url = None, project: Project = None, data: Data = None) -> None:
    """List the tables that have a policy; all others are open."""
    from ..render.policies import policy_table
    from ..terminal import terminal

    answer = options.api(url, project, data).get("/policies")
    out = terminal()
    if json:
        out.json(answer["items"])
        return
    if answer["items"]:
        out.lines(policy_table(answer["items"], paint=out.paint))
    else:
        out.note("no policies yet; all tables are open. `flux policy set TABLE FILE` makes one (docs/POLICIES.md)")
    _warn(out, answer["warnings"])


def show(
    table: TableName,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="This version instead of the one in force.")
    ] = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Show a policy as it was written, as JSON."""
    from ..client import segment
    from ..terminal import terminal

    found = options.api(url, project, data).get(f"/policies/{segment(table)}", {"version": version})
    out = terminal()
    out.json(found if json else found["document"])
    if not json:
        state = "in force" if found["active"] else "not in force"
        out.note(f"version {found['version']} of {found['created_at'][:19]}, {state}")


def set_policy(
    table: TableName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Policy in TOML (.toml) or JSON; - reads JSON or TOML.")],
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Put a policy in force, as a new version."""
    from ..client import segment
    from ..terminal import terminal

    saved = options.api(url, project, data).put(f"/policies/{segment(table)}", _document(file))
    out = terminal()
    if json:
        out.json(saved)
        return
    out.lines([f"{table}: version {saved['version']} is in force"])
    _warn(out, saved["warnings"])


def remove(table: TableName, json: AsJson = False, url: Url = None, project: Project = None, data: Data = None) -> None:
    """Leave a table without a policy: open to all."""
    from ..client import segment
    from ..terminal import terminal

    removed = options.api(url, project, data).delete(f"/policies/{segment(table)}")
    out = terminal()
    if json:
        out.json(removed)
    else:
        out.lines([f"{table}: no policy; open to all"])


def explain(
    table: TableName, json: AsJson = False, url: Url = None, project: Project = None, data: Data = None
) -> None:
    """Show what each role may do with a table."""
    from ..client import segment
    from ..render.policies import grant_table
    from ..terminal import terminal

    found = options.api(url, project, data).get(f"/policies/{segment(table)}/explain")
    out = terminal()
    if json:
        out.json(found)
        return
    out.lines(grant_table(found["grants"], paint=out.paint))
    if found["masked"]:
        out.lines([f"masked in the mutation record: {', '.join(found['masked'])}"])
    if not found["restricted"]:
        out.note("the table has no policy: everybody may do everything")
    _warn(out, [found["problem"]] if found["problem"] else [])


def try_policy(
    table: TableName,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="Role of the caller.")] = "anon",
    uid: Annotated[str | None, typer.Option("--uid", metavar="UID", help="$auth.uid of the caller.")] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="$auth.tenant of the caller.")
    ] = None,
    claims: Annotated[str | None, typer.Option("--claims", metavar="JSON", help="$auth.claims of the caller.")] = None,
    operation: Annotated[
        str, typer.Option("--operation", metavar="NAME", help="select, insert, update or delete.")
    ] = "select",
    id: Annotated[
        str | None, typer.Option("--id", metavar="ROWID", help="A row's key; JSON where it has several columns.")
    ] = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Ask whether a caller may do something, with a table or with one row of it. Ends with 1 when not."""
    from ..client import segment
    from ..render.policies import verdict_lines
    from ..terminal import terminal

    asked: dict[str, Any] = {"role": role, "uid": uid, "tenant": tenant, "operation": operation}
    asked |= {} if claims is None else {"claims": _json("--claims", claims)}
    asked |= {} if id is None else {"id": _json("--id", id) if id.startswith("{") else id}
    answer = options.api(url, project, data).post(f"/policies/{segment(table)}/test", asked)
    out = terminal()
    if json:
        out.json(answer)
    else:
        out.lines(verdict_lines(answer, paint=out.paint))
    if not _passes(answer):
        raise typer.Exit(1)


def _passes(answer: Any) -> bool:
    row = answer["row"]
    return bool(answer["allowed"] and (row is None or (row["found"] and row["visible"])))


def _document(file: str) -> Any:
    import sys

    from ..errors import BadUsage, NothingThere

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except FileNotFoundError:
        raise NothingThere(f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"{file} cannot be read: {error}") from None
    is_json = file.endswith(".json") or (file == "-" and text.lstrip().startswith("{"))
    return _json(file, text) if is_json else _toml(file, text)


def _json(where: str, text: str) -> Any:
    import json

    from ..errors import BadUsage

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{where}: not valid JSON: {error}") from None


def _toml(where: str, text: str) -> Any:
    import tomllib

    from ..errors import BadUsage

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadUsage(f"{where}: not valid TOML: {error}") from None


def _warn(out: Terminal, warnings: list[str]) -> None:
    for warning in warnings:
        out.note(f"warning: {warning}")
