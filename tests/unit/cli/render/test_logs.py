from __future__ import annotations

from datetime import UTC

from cli.render.logs import log_line, log_lines
from cli.render.text import Paint

ENTRY = {
    "time": "2026-11-22T14:03:22.104250Z",
    "request_id": "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c",
    "function": "create_user",
    "level": "info",
    "message": "saved",
    "fields": {"id": 42, "name": "Ada Lovelace", "plan": "free", "tags": ["a"], "none": None},
    "source": "create_user.ts:9",
}


def test_entry_of_many_executions() -> None:
    assert log_line(ENTRY, zone=UTC) == (
        "14:03:22.104  4f9a3b2c  create_user  info   saved  "
        'id=42  name="Ada Lovelace"  plan=free  tags=["a"]  none=null  (create_user.ts:9)'
    )


def test_entry_with_nothing_but_a_message() -> None:
    assert log_lines([{"t_us": 1_234_567, "level": "error", "message": "a\nb"}]) == [r"    1.2s  error  a\nb"]


def test_level_has_a_colour() -> None:
    line = log_line(ENTRY | {"level": "error"}, zone=UTC, paint=Paint(enabled=True))
    assert "\x1b[31merror\x1b[0m" in line
