"""What becomes of a query."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict


class ExplainWanted(TypedDict):
    query: Annotated[dict[str, Any], "A query as docs/QUERY.md has it."]
    key: NotRequired[Annotated[Any, "The row that is meant, by its primary key, as `findById` and data routes say it."]]
    filters: NotRequired[Annotated[list[list[str]], "Filters of a data route: [[column, what]]."]]
    function: NotRequired[Annotated[str, "As this function (or data route) would be allowed."]]
    role: NotRequired[str | None]
    uid: NotRequired[str | None]
    tenant: NotRequired[str | None]
    claims: NotRequired[dict[str, Any]]
    analyze: NotRequired[Annotated[bool, "Carry out a query that only reads, and measure."]]


class ExplainedPolicy(TypedDict):
    table: str
    operation: str
    columns: Annotated[list[str] | None, "Readable (select, delete) or writable ones; null = all."]
    where: str | None
    check: str | None


class ExplainedParameter(TypedDict):
    number: int
    value: Annotated[str | None, "As text, shortened."]
    source: str


class ExplainedGuard(TypedDict):
    score: int
    limits: dict[str, int]


class ExplainedPlan(TypedDict):
    cost: float
    rows: int
    ms: Annotated[float | None, "Measured; null unless analyzed."]
    root: Annotated[dict[str, Any], "Node with node, table, index, rows, cost, filter, condition, ms, children."]


class MissingIndex(TypedDict):
    table: str
    columns: list[str]
    why: str
    ddl: str


class Explained(TypedDict):
    operation: str
    writes: bool
    tables: list[str]
    policies: list[ExplainedPolicy]
    sql: str
    parameters: list[ExplainedParameter]
    guard: ExplainedGuard
    plan: ExplainedPlan
    indexes_missing: list[MissingIndex]
    warnings: list[str]
