"""Executions as lines: the table of `flux trace`, the stream of `flux tail`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType

from .text import PLAIN, Json, Paint, clean, clock, duration, error_line, moment, short_id, shorten, subject

SUBJECT_WIDTH = 48
# A stream cannot know how wide its columns will get; these fit most.
TAIL_SUBJECT_WIDTH = 28
TAIL_DURATION_WIDTH = 7

_HEADER = ("TIME", "ID", "REQUEST", "STATUS", "DURATION", "FUNCTION")
_STATUS = _HEADER.index("STATUS")

Colour = Callable[[str], str]


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    paint: Paint = PLAIN,
    colours: Mapping[int, Colour] = MappingProxyType({}),
) -> list[str]:
    """Left-aligned columns, two spaces apart. `colours` paints the (padded) cells of a column."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    widths[-1] = 0  # nothing follows that would need the padding

    def line(cells: Sequence[str], colours: Mapping[int, Colour]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join(colours.get(at, str)(cell) for at, cell in enumerate(padded))

    return [paint.dim(line(header, {})), *(line(row, colours) for row in rows)]


def execution_table(
    items: Sequence[Json], *, now: datetime, zone: tzinfo | None = None, paint: Paint = PLAIN
) -> list[str]:
    """`items` of `GET /flux/api/executions`, as they come (newest first)."""
    rows = [
        (
            moment(item["started_at"], now, zone),
            short_id(item["request_id"]),
            shorten(_what(item), SUBJECT_WIDTH),
            str(item.get("status") or "-"),
            duration(item.get("duration_ms")),
            clean(str(item.get("function") or "-")),
        )
        for item in items
    ]
    return table(_HEADER, rows, paint=paint, colours={_STATUS: lambda cell: _status(cell, paint)})


def tail_line(item: Json, *, zone: tzinfo | None = None, paint: Paint = PLAIN) -> str:
    """One finished execution: `14:03:22.104  4f9a3b2c  POST /create_user  200  98ms  create_user`."""
    parts = [
        paint.dim(clock(item["started_at"], zone)),
        paint.bold(short_id(item["request_id"])),
        _what(item).ljust(TAIL_SUBJECT_WIDTH),
        paint.status(item.get("status"), 3),
        duration(item.get("duration_ms")).rjust(TAIL_DURATION_WIDTH),
        clean(str(item.get("function") or "-")),
    ]
    if error := item.get("error"):
        parts.append(paint.red("✗ " + error_line(error)))
    return "  ".join(parts)


def _what(item: Json) -> str:
    return subject(item) + (" (replay)" if item.get("replay_of") else "")


def _status(cell: str, paint: Paint) -> str:
    text = cell.strip()
    return paint.status(int(text) if text.isdecimal() else None, len(cell))
