"""Policies of tables, and what they come to for a caller."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict


class Policy(TypedDict):
    table: str
    version: int
    active: bool
    source: Literal["file", "api"]
    created_at: str
    created_by: Annotated[str | None, "The file, or who used the API."]
    document: Annotated[dict[str, Any], "docs/POLICIES.md."]
    problem: Annotated[str | None, "Why it no longer fits the schema; the table is then denied to all."]


class PolicyList(TypedDict):
    items: list[Policy]
    warnings: Annotated[list[str], "What raw SQL cannot have, and why."]


PolicyWanted = dict[str, Any]


class PolicySaved(Policy):
    warnings: Annotated[list[str], "What raw SQL cannot have, and why."]


class PolicyRemoved(TypedDict):
    table: str
    removed: bool


class PolicyGrant(TypedDict):
    role: str
    operation: Literal["select", "insert", "update", "delete"]
    allowed: bool
    by: Annotated[str | None, "Whose grant it is: the role's own, or that of *."]
    columns: Annotated[list[str] | None, "Readable or writable ones; null for all."]
    where: Annotated[str | None, "Rows that it may see or touch; null for all."]
    check: Annotated[str | None, "What rows must fulfil after it wrote them."]


class PolicyExplained(TypedDict):
    table: str
    restricted: Annotated[bool, "Whether the table has a policy; without one all is allowed."]
    masked: list[str]
    problem: str | None
    grants: list[PolicyGrant]


class PolicyTestWanted(TypedDict):
    role: NotRequired[str]
    uid: NotRequired[str | None]
    tenant: NotRequired[str | None]
    claims: NotRequired[dict[str, Any]]
    operation: NotRequired[Literal["select", "insert", "update", "delete"]]
    id: NotRequired[Annotated[Any, "A row's key: its value, or an object of them."]]


class PolicyRow(TypedDict):
    found: bool
    visible: Annotated[bool | None, "Whether the caller may see or touch it."]
    valid: Annotated[bool | None, "Whether it is as what the caller writes must be."]


class PolicyTested(PolicyGrant):
    table: str
    problem: str | None
    row: PolicyRow | None
