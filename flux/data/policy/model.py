"""Who may do what with which columns and rows of a table. Pure values; `rules` reads them, `compiler` obeys them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flux.data.query.model import ALWAYS, Condition

Operation = Literal["select", "insert", "update", "delete"]
OPERATIONS: tuple[Operation, ...] = ("select", "insert", "update", "delete")

ANONYMOUS, AUTHENTICATED = "anon", "authenticated"  # the roles of callers without and with a key that names none
ANYBODY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks. `uid` is the user's ID from a token, or the API key's."""

    role: str = ANONYMOUS
    uid: str | None = None
    tenant: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    def fact(self, path: tuple[str, ...]) -> Any:
        """The value of `$auth.<path>`, None when there is none."""
        if path[0] != "claims":
            return getattr(self, path[0])
        value: Any = self.claims
        for name in path[1:]:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


NOBODY = Caller()


def caller_of(user: Mapping[str, Any] | None, tenant: str | None, role: str | None = None) -> Caller:
    """From what `ctx.user` has: {"id", "role", further claims}, or None. `role` stands for whatever the user has."""
    if user is None:
        return NOBODY if tenant is None and role is None else Caller(role=role or ANONYMOUS, tenant=tenant)
    claims = {name: value for name, value in user.items() if name not in ("id", "role")}
    return Caller(role=role or user.get("role") or AUTHENTICATED, uid=user.get("id"), tenant=tenant, claims=claims)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one role may do in one operation on one table.

    `readable`, `writable`: columns, None = all (an operation's answers, filters and order may only name readable ones;
    for a write they are those of the role's select grant, none without one). `where`: rows it may see or touch.
    `check`: what rows must fulfil after it wrote them (insert, update); None = the same as `where` for updates.
    """

    readable: frozenset[str] | None = None
    writable: frozenset[str] | None = None
    where: Condition = ALWAYS
    check: Condition | None = None


# What a table without any policy grants.
UNRESTRICTED = Grant()


@dataclass(frozen=True, kw_only=True, slots=True)
class TablePolicy:
    """`grants` by role and operation; what is not in it is denied. `masked` columns enter records as hashes only."""

    table: str
    grants: Mapping[tuple[str, Operation], Grant] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Policies:
    """All of them, by table. `closed`: tables without one that show rows of tables that have one. `version` changes
    whenever anything in them does.
    """

    tables: Mapping[str, TablePolicy] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    version: str = ""

    def grant(self, table: str, role: str, operation: Operation) -> Grant | None:
        """The role's own grant, else that of "*", else None: denied. UNRESTRICTED when the table has no policy."""
        policy = self.tables.get(table)
        if policy is None:
            return None if table in self.closed else UNRESTRICTED
        return policy.grants.get((role, operation)) or policy.grants.get((ANYBODY, operation))

    def masked(self, table: str) -> frozenset[str]:
        policy = self.tables.get(table)
        return policy.masked if policy else frozenset()


NO_POLICIES = Policies()
