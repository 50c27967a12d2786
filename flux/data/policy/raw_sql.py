"""Which functions may use `ctx.db.sql`. Pure."""

from __future__ import annotations

from typing import Literal

from flux.failure import HostError

from .model import Policies

# `[database] sql` of flux.toml. "": all while there is nothing to protect, granted as soon as there are policies.
SqlSetting = Literal["", "all", "granted"]


def may_use_sql(*, function: bool | None, project: SqlSetting, policies: Policies) -> bool:
    """`function` is what its flux.json says (`"db": {"sql": true}`), None when it says nothing."""
    if function is not None:
        return function
    return project == "all" or (project == "" and not policies.tables)


def require_sql(name: str, *, function: bool | None, project: SqlSetting, policies: Policies) -> None:
    """Raises 403 SQL_NOT_GRANTED saying how to grant it."""
    if not may_use_sql(function=function, project=project, policies=policies):
        raise HostError(
            "SQL_NOT_GRANTED",
            403,
            f"Function {name} may not use ctx.db.sql: this project has policies. Grant it in the function's flux.json "
            'with {"db": {"sql": true}}, or to all with sql = "all" under [database] in flux.toml.',
            {"function": name},
        )
