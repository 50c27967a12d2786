"""`flux keys`: API keys of callers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .. import options
from ..options import AsJson, Data, Project, Url


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None)
    group.command("create")(create)
    group.command("list")(list_keys)
    group.command("revoke")(revoke)
    app.add_typer(group, name="keys")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, such as the caller's name.")],
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="TENANT", help="Tenant that its requests belong to.", show_default=False),
    ] = None,
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="Role that policies know its requests by.")
    ] = "authenticated",
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Make a key and print it: the only time that it can be seen."""
    from ..terminal import terminal

    made = options.api(url, project, data).post("/keys", {"name": name, "tenant": tenant, "role": role})
    out = terminal()
    if json:
        out.json(made)
        return
    out.lines([made["key"]])
    whose = f" of tenant {tenant}" if tenant else ""
    out.note(f"key {made['id']}{whose}: keep it, Flux stores only a hash")


def list_keys(json: AsJson = False, url: Url = None, project: Project = None, data: Data = None) -> None:
    """List the keys that are valid, without their secrets."""
    from ..render.keys import key_table
    from ..terminal import terminal

    items: list[dict[str, Any]] = options.api(url, project, data).get("/keys")["items"]
    out = terminal()
    if json:
        out.json(items)
    elif items:
        out.lines(key_table(items, paint=out.paint))
    else:
        out.note("no keys yet; `flux keys create NAME --tenant TENANT` makes one")


def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="ID of the key, as `flux keys list` shows it.")],
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Data = None,
) -> None:
    """Make a key useless, at once and for good."""
    from ..client import segment
    from ..terminal import terminal

    revoked = options.api(url, project, data).delete(f"/keys/{segment(id)}")
    out = terminal()
    if json:
        out.json(revoked or {"id": id, "revoked": True})
    else:
        out.lines([f"revoked {id}"])
