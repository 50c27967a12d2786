"""A function run without consequences."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict


class RehearsalWanted(TypedDict):
    input: NotRequired[Annotated[Any, "Its body; {} when it is missing."]]
    role: NotRequired[str | None]
    uid: NotRequired[str | None]
    tenant: NotRequired[str | None]
    claims: NotRequired[dict[str, Any]]


class Rehearsed(TypedDict):
    request_id: Annotated[str, "Under which it is recorded."]
    status: Annotated[int, "What the function answered."]
