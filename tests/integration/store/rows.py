"""Executions for the record, as a worker would encode them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, date, datetime
from typing import Any

from flux.record.row import ExecutionRow, encode

DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def midnight_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def row(**fields: Any) -> bytes:
    """One encoded execution; any column can be given."""
    values: dict[str, Any] = {
        "request_id": uuid.uuid4().bytes,
        "parent_request_id": None,
        "replay_of": None,
        "kind": "http",
        "tenant": None,
        "method": "POST",
        "path": "/create_user",
        "route": "/create_user",
        "function": "create_user",
        "code_version": "c0de",
        "status": 200,
        "error": None,
        "started_us": now_us(),
        "duration_us": 81_250,
        "seed": bytes(32),
        "request": b'{"headers":[]}',
        "input": b'{"email":"ada@example.com"}',
        "output": b'{"id":1}',
        "spans": b'[{"id":1,"parent":0}]',
        "logs": None,
    }
    return encode(ExecutionRow(**{**values, **fields}))
