"""Changes of rows, as executions and the state of tables show them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict


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
