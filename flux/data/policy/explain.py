"""What a role may do with a table, in words: for `flux policy explain` and `test`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flux.data.query.model import ALWAYS, Condition

from .model import ANYBODY, OPERATIONS, Grant, Operation, Policies
from .printed import print_rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """`by`: the role whose grant it is, "*" for that of anybody, None without a grant or without any policy.

    `columns`: readable (select) or writable ones, None = all. `where` and `check` are conditions as one writes them,
    None where there is none.
    """

    role: str
    operation: Operation
    allowed: bool
    by: str | None
    columns: tuple[str, ...] | None = None
    where: str | None = None
    check: str | None = None


def explain(policies: Policies, table: str, role: str, operation: Operation) -> Allowed:
    grant = policies.grant(table, role, operation)
    if grant is None:
        return Allowed(role=role, operation=operation, allowed=False, by=None, columns=())
    policy = policies.tables.get(table)
    by = None if policy is None else role if (role, operation) in policy.grants else ANYBODY
    columns = grant.readable if operation == "select" else grant.writable
    return Allowed(
        role=role,
        operation=operation,
        allowed=True,
        by=by,
        columns=None if columns is None else tuple(sorted(columns)),
        where=_printed(grant.where),
        check=_printed(written(grant, operation)),
    )


def explain_table(policies: Policies, table: str) -> list[Allowed]:
    """All roles that the table's policy names, and "*"."""
    policy = policies.tables.get(table)
    roles = {role for role, _ in policy.grants} if policy is not None else set()
    ordered = [*sorted(roles - {ANYBODY}), ANYBODY]
    return [explain(policies, table, role, operation) for role in ordered for operation in OPERATIONS]


def written(grant: Grant, operation: Operation) -> Condition:
    """What rows must fulfil after the operation wrote them."""
    if grant.check is not None:
        return grant.check
    return grant.where if operation == "update" else ALWAYS


def _printed(condition: Condition) -> str | None:
    return None if condition == ALWAYS else print_rule(condition)
