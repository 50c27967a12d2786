"""Log entries as lines. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from .text import PLAIN, Json, Paint, clean, clock, duration, short_id

LEVEL_WIDTH = 5


def log_lines(logs: Iterable[Json], *, paint: Paint = PLAIN) -> list[str]:
    """The entries of one execution, each with its time since the start: `    12ms  info   saved  id=42`."""
    return [f"{duration(int(entry.get('t_us') or 0) / 1000):>8}  {_entry(entry, paint)}" for entry in logs]


def log_line(entry: Json, *, paint: Paint = PLAIN, zone: tzinfo | None = None) -> str:
    """One entry of many executions: `14:03:22.104  4f9a3b2c  create_user  info   saved  id=42`."""
    origin = f"{paint.bold(short_id(entry['request_id']))}  {clean(str(entry.get('function') or '-'))}"
    return f"{paint.dim(clock(entry['time'], zone))}  {origin}  {_entry(entry, paint)}"


def _entry(entry: Json, paint: Paint) -> str:
    level = clean(str(entry.get("level") or "info"))
    padded = level.ljust(LEVEL_WIDTH)
    coloured = {"error": paint.red, "warn": paint.yellow, "debug": paint.dim}.get(level, paint.green)(padded)
    parts = [f"{coloured}  {clean(str(entry.get('message') or ''))}"]
    fields = entry.get("fields")
    if isinstance(fields, dict):
        parts += [f"{paint.dim(clean(str(key)) + '=')}{_value(value)}" for key, value in fields.items()]
    if source := entry.get("source"):
        parts.append(paint.dim(f"({clean(str(source))})"))
    return "  ".join(parts)


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(c.isspace() or c in '"=' for c in value):
        return clean(value)
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
