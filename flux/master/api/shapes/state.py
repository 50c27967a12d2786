"""Rows through time."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from .mutations import Mutation


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
    at: Annotated[str | None, "Null: written by no mutation, but before the record or by ALTER TABLE."]
    version: int | None
    operation: str | None
    request_id: NotRequired[str | None]
    span: NotRequired[int | None]
    function: NotRequired[str | None]
    code_version: NotRequired[str | None]
    actor: NotRequired[str | None]
    tenant: NotRequired[str | None]


RecordFrom = Annotated[
    str | None, "Given when the time is before it: changes of the table are in the record from then on."
]


class RowBlame(TypedDict):
    table: str
    row: dict[str, Any]
    deleted: Annotated[Mutation | None, "What deleted it, or emptied or dropped the table."]
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
    known: NotRequired[
        Annotated[bool, "False when a TRUNCATE or DROP TABLE since then hides it, or the record begins later."]
    ]
    record_from: RecordFrom
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
        "record_from": RecordFrom,
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
    record_from: RecordFrom
