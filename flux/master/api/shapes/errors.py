"""How every refusal looks."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict


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
