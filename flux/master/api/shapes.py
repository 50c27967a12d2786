"""The JSON of the management API, as types: handlers are checked against them, the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict


class Violation(TypedDict):
    path: Any
    message: str
    code: NotRequired[str]


class ErrorDetail(TypedDict):
    code: Annotated[str, "Stable; docs/ERRORS.md lists them."]
    message: str
    request_id: str | None
    violations: NotRequired[list[Violation]]


class ErrorBody(TypedDict):
    error: ErrorDetail


class ExecutionSummary(TypedDict):
    request_id: str
    parent_request_id: str | None
    replay_of: str | None
    kind: Literal["http", "job", "invoke", "replay"]
    tenant: str | None
    method: str
    path: str
    route: str
    function: str | None
    code_version: str | None
    status: int
    error: Annotated[Any, "Code, message and where it was thrown; null for a success."]
    started_at: Annotated[str, "ISO 8601, UTC, microseconds."]
    duration_ms: float


class ExecutionPage(TypedDict):
    items: list[ExecutionSummary]
    next: Annotated[str | None, "Give it as `after` for the following page."]


class Span(TypedDict):
    id: int
    parent: int | None
    seq: int
    kind: str
    name: str
    start_us: Annotated[int, "Since the execution's start."]
    duration_us: int | None
    status: str
    input: Any
    output: Any
    attributes: Any
    settled: NotRequired[int]


class LogEntry(TypedDict):
    t_us: Annotated[int, "Since the execution's start."]
    level: Literal["debug", "info", "warn", "error"]
    message: str
    fields: NotRequired[dict[str, Any] | None]
    source: NotRequired[str | None]


class Child(TypedDict):
    kind: str
    function: str
    job_id: str | None
    state: str
    attempts: int | None
    request_id: str | None
    status: int | None
    started_at: str | None
    duration_ms: float | None


class Author(TypedDict):
    request_id: Annotated[str | None, "The execution; null for a change that did not come through Flux."]
    span: int | None
    function: str | None
    code_version: str | None
    actor: str | None
    tenant: str | None


class Mutation(Author):
    id: Annotated[int, "Grows in the order in which changes took effect."]
    at: str
    table: Annotated[str | None, "Null for DDL of something else."]
    schema: str | None
    row: Annotated[dict[str, Any] | None, "Its primary key; null for a table without one."]
    version: Annotated[int | None, "How many times the row had been written by then; where it is asked for."]
    operation: Literal["insert", "update", "delete", "truncate", "ddl"]
    changed: Annotated[list[str] | None, "Columns; of an insert or a delete when an update changed the row's key."]
    old: Annotated[dict[str, Any] | None, "The row before; masked columns are hashes."]
    new: dict[str, Any] | None
    transaction: str
    ddl: NotRequired[dict[str, Any]]


class Change(TypedDict):
    column: str
    old: NotRequired[Any]
    new: NotRequired[Any]


class RowHistory(TypedDict):
    table: str
    row: dict[str, Any]
    items: list[Mutation]
    next: str | None


class BlamedColumn(TypedDict):
    column: str
    value: Any
    at: Annotated[str | None, "Null: not written since changes are recorded."]
    version: int | None
    operation: str | None
    request_id: NotRequired[str | None]
    span: NotRequired[int | None]
    function: NotRequired[str | None]
    code_version: NotRequired[str | None]
    actor: NotRequired[str | None]
    tenant: NotRequired[str | None]


class RowBlame(TypedDict):
    table: str
    row: dict[str, Any]
    deleted: Annotated[Mutation | None, "What deleted it."]
    columns: list[BlamedColumn]


class StoodRow(TypedDict):
    row: dict[str, Any] | None
    values: dict[str, Any]
    current: Annotated[bool, "Whether it has not changed since."]


class StateAt(TypedDict):
    table: str
    time: str
    row: NotRequired[dict[str, Any]]
    values: NotRequired[Annotated[dict[str, Any] | None, "Null when there was no such row."]]
    known: NotRequired[Annotated[bool, "False when a TRUNCATE or DROP TABLE since then hides it."]]
    items: NotRequired[list[StoodRow]]
    next: NotRequired[str | None]
    gaps: NotRequired[list[Mutation]]


class DiffCounts(TypedDict):
    inserted: int
    updated: int
    deleted: int


class DiffRow(TypedDict):
    row: dict[str, Any]
    operation: Literal["inserted", "updated", "deleted"]
    changes: list[Change]
    mutations: int


StateDiff = TypedDict(
    "StateDiff",
    {
        "table": str,
        "from": str,
        "to": str,
        "row": NotRequired[dict[str, Any]],
        "before": NotRequired[dict[str, Any] | None],
        "after": NotRequired[dict[str, Any] | None],
        "known": NotRequired[bool],
        "changes": NotRequired[list[Change]],
        "mutations": NotRequired[int],
        "counts": NotRequired[DiffCounts],
        "items": NotRequired[list[DiffRow]],
        "next": NotRequired[str | None],
        "gaps": NotRequired[list[Mutation]],
    },
)


class StateRestore(TypedDict):
    table: str
    time: str
    rows: int
    sql: Annotated[str, "One transaction, for you to read and to run."]
    gaps: list[Mutation]


class Execution(ExecutionSummary):
    seed: Annotated[str | None, "Hexadecimal."]
    request: Any
    input: Any
    output: Any
    spans: list[Span]
    logs: list[LogEntry]
    children: list[Child]
    mutations: Annotated[list[Mutation], "The first of them, in the order in which they took effect."]
    mutation_count: int


class Outcome(TypedDict):
    status: int
    output: Any
    error: Any


class Divergence(TypedDict):
    message: str
    seq: NotRequired[int]
    op: NotRequired[str]
    recorded: NotRequired[Any]
    asked: NotRequired[Any]


class Replay(TypedDict):
    request_id: Annotated[str, "Of the replay, which is an execution too."]
    of: str
    status: int
    match: Annotated[bool, "Whether it came out as recorded."]
    recorded: Outcome
    replayed: Outcome
    divergences: list[Divergence]


class Key(TypedDict):
    id: str
    name: str
    tenant: str | None
    role: str
    created_at: str


class KeyList(TypedDict):
    items: list[Key]


class KeyWanted(TypedDict):
    name: Annotated[str, "What the key is for."]
    tenant: NotRequired[Annotated[str | None, "For whom its requests count."]]
    role: NotRequired[Annotated[str, 'What policies know its requests as; "authenticated" otherwise.']]


class KeyMade(Key):
    key: Annotated[str, "Shown this once; only a hash of it is stored."]


class KeyRevoked(TypedDict):
    id: str
    revoked: bool


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


class RouteOf(TypedDict):
    method: str
    path: str


class Function(TypedDict):
    name: str
    version: str
    source: str
    routes: list[RouteOf]
    auth: Literal["none", "api_key"]
    runtime: str
    limits: dict[str, int]
    max_attempts: int
    asynchronous: bool


class FunctionList(TypedDict):
    items: list[Function]


class LogLine(TypedDict):
    time: str
    request_id: str
    function: str | None
    level: str
    message: Any
    fields: Any
    source: Any


class LogLines(TypedDict):
    items: list[LogLine]


class DeclaredSchema(TypedDict):
    file: Annotated[str, "As messages name it."]
    schema: Annotated[Any, "What `defineSchema` was given, as JSON."]


class SchemasWanted(TypedDict):
    schemas: list[DeclaredSchema]


class DatabaseChange(TypedDict):
    summary: str
    lost: Annotated[str | None, "Data that would be gone; null when none would be."]
    note: str | None


class DatabaseComparison(TypedDict):
    changes: list[DatabaseChange]
    statements: list[str]
    migration: Annotated[str, "The text of a migration with these statements; empty without changes."]


class DatabaseMigration(TypedDict):
    name: str
    sha256: str
    applied_at: str


class DatabaseMigrations(TypedDict):
    items: list[DatabaseMigration]


class MigrationWanted(TypedDict):
    name: Annotated[str, "NNNN_name.sql"]
    sql: str


class MigrationsWanted(TypedDict):
    migrations: list[MigrationWanted]


class DatabaseMigrated(TypedDict):
    applied: Annotated[list[str], "Applied now."]


class DatabaseTypes(TypedDict):
    version: str
    tables: int
    types: str


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
