"""Executions as the record has them, and what a replay of one finds."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from flux.record.row import Kind

from .mutations import Mutation


class ExecutionSummary(TypedDict):
    request_id: str
    parent_request_id: str | None
    replay_of: str | None
    kind: Kind
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
