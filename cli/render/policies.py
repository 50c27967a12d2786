"""Policies as tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .list import table
from .text import PLAIN, Json, Paint, clean

_ALLOWED = 2  # the column that is coloured


def policy_table(items: Sequence[Json], *, paint: Paint = PLAIN) -> list[str]:
    rows = [
        (
            clean(str(item["table"])),
            str(item["version"]),
            clean(str(item["source"])),
            clean(str(item["created_at"]))[:10],
            _roles(item),
            "denied to all: " + clean(str(item["problem"])) if item.get("problem") else "-",
        )
        for item in items
    ]
    return table(("TABLE", "VERSION", "FROM", "SINCE", "ROLES", "PROBLEM"), rows, paint=paint)


def grant_table(grants: Sequence[Json], *, paint: Paint = PLAIN) -> list[str]:
    rows = [
        (
            clean(str(grant["role"])),
            str(grant["operation"]),
            _allowed(grant),
            _columns(grant),
            clean(str(grant.get("where") or "-")),
            clean(str(grant.get("check") or "-")),
        )
        for grant in grants
    ]
    header = ("ROLE", "OPERATION", "ALLOWED", "COLUMNS", "ROWS", "CHECK")
    return table(header, rows, paint=paint, colours={_ALLOWED: lambda cell: _coloured(cell, paint)})


def verdict_lines(answer: Json, *, paint: Paint = PLAIN) -> list[str]:
    """The answer of `POST /flux/api/policies/{table}/test`."""
    subject = f"{clean(str(answer['role']))} may{'' if answer['allowed'] else ' not'} {answer['operation']}"
    lines = [(paint.green if answer["allowed"] else paint.red)(f"{subject} {clean(str(answer['table']))}")]
    if answer["allowed"]:
        lines.append(f"columns  {_columns(answer)}")
        lines.append(f"rows     {clean(str(answer.get('where') or 'all'))}")
        if answer.get("check"):
            lines.append(f"check    {clean(str(answer['check']))}")
    if answer.get("problem"):
        lines.append(paint.red(f"problem  {clean(str(answer['problem']))}"))
    row = answer.get("row")
    if row is not None:
        lines.append(_row(row, paint))
    return lines


def _row(row: Json, paint: Paint) -> str:
    if not row["found"]:
        return paint.red("row      there is none")
    if row["visible"] is None:
        return "row      is there"
    text = "passes" if row["visible"] else "does not pass"
    checked = "" if row["valid"] or not row["visible"] else "; as it is, it could not be written like that"
    return (paint.green if row["visible"] else paint.red)(f"row      {text}") + checked


def _roles(item: Json) -> str:
    document = item.get("document") or {}
    roles = [key for key, value in document.items() if isinstance(value, dict)]
    presets = document.get("preset") or []
    shown = [*([presets] if isinstance(presets, str) else presets), *roles]
    return clean(", ".join(map(str, shown))) or "nobody"


def _columns(grant: Json) -> str:
    columns = grant.get("columns")
    if grant["operation"] == "delete" or not grant["allowed"]:
        return "-"
    return "all" if columns is None else clean(", ".join(columns)) or "none"


def _allowed(grant: Json) -> str:
    if not grant["allowed"]:
        return "no"
    return "yes" if grant.get("by") in (None, grant["role"]) else f"yes, as {clean(str(grant['by']))}"


def _coloured(cell: str, paint: Paint) -> str:
    return paint.red(cell) if cell.strip() == "no" else paint.green(cell)
