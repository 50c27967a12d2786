"""How values of the store look in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson


def plain(value: Any) -> Any:
    """A column's value for `orjson.dumps`: times in UTC with microseconds, IDs and bytes as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, UUID):
        # asyncpg's own subclass, which orjson does not take.
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value


def raw(text: str | None) -> Any:
    """JSON text as it is stored: key order, large numbers and escapes unharmed."""
    return None if text is None else orjson.Fragment(text)
