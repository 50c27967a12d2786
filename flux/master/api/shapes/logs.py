"""Lines that functions logged."""

from __future__ import annotations

from typing import Any, TypedDict


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
