"""API keys as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .list import table
from .text import PLAIN, Json, Paint, clean


def key_table(items: Sequence[Json], *, paint: Paint = PLAIN) -> list[str]:
    rows = [
        (
            clean(str(item["id"])),
            clean(str(item["name"])),
            clean(str(item.get("tenant") or "-")),
            clean(str(item.get("role") or "-")),
            _day(item.get("created_at")),
        )
        for item in items
    ]
    return table(("ID", "NAME", "TENANT", "ROLE", "CREATED"), rows, paint=paint)


def _day(iso: object) -> str:
    return clean(str(iso))[:10] if iso else "-"
