"""Rows through time, as lines: history, blame, diff, state at a moment. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from .list import table
from .text import PLAIN, Json, Paint, clean, moment, short_id, shorten

VALUE_WIDTH = 60  # of one value on a line; `--json` has the whole of it

_OPERATIONS = {"insert": "green", "inserted": "green", "delete": "red", "deleted": "red"}


class Digits(str):
    """A number that is no integer, as it was written."""

    __slots__ = ()


def parsed(text: str) -> Any:
    """JSON whose numbers keep their digits."""
    return json.loads(text, parse_float=Digits)


def history_lines(answer: Json, *, now: datetime, zone: tzinfo | None = None, paint: Paint = PLAIN) -> list[str]:
    """`answer` of `GET /flux/api/state/{table}/history`, newest first."""
    lines = [f"  {paint.bold(_subject(answer))}"]
    for item in answer["items"]:
        version = f"v{item['version']}" if item.get("version") else "-"
        operation = _operation(item["operation"], paint)
        lines += [
            "",
            "  " + "  ".join([paint.bold(version.ljust(4)), moment(item["at"], now, zone), operation, *_author(item)]),
        ]
        lines += [f"        {line}" for line in _changes_of(item, paint)]
    return lines


def blame_lines(answer: Json, *, now: datetime, zone: tzinfo | None = None, paint: Paint = PLAIN) -> list[str]:
    rows = [
        (
            clean(column["column"]),
            _value(column["value"]),
            f"v{column['version']}" if column.get("version") else "-",
            moment(column["at"], now, zone) if column.get("at") else "in no record",
            "  ".join(_author(column)) if column.get("at") else "-",
        )
        for column in answer["columns"]
    ]
    lines = [f"  {paint.bold(_subject(answer))}"]
    if deleted := answer.get("deleted"):
        lines.append(f"  {paint.red('deleted')} {moment(deleted['at'], now, zone)}  {'  '.join(_author(deleted))}")
    return [*lines, "", *(f"  {line}" for line in table(("COLUMN", "VALUE", "", "WRITTEN", "BY"), rows, paint=paint))]


def diff_lines(answer: Json, *, paint: Paint = PLAIN) -> list[str]:
    """Of a row (`changes`), or of a table (`counts` and `items`)."""
    if "counts" not in answer:
        lines = [f"  {paint.bold(_subject(answer))}  {answer['mutations']} mutations", ""]
        lines += [f"    {line}" for line in _change_lines(answer["changes"], paint)] or ["    no difference"]
        return lines + ([] if answer["known"] else [f"  {paint.yellow('!')} {_why_unknown(answer)}"])
    counts = answer["counts"]
    told = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number) or "no difference"
    lines = [f"  {paint.bold(clean(answer['table']))}  {told}"]
    for item in answer["items"]:
        lines += ["", f"  {_operation(item['operation'], paint)}  {paint.bold(_row(item['row']))}"]
        if item["operation"] == "updated":
            lines += [f"    {line}" for line in _change_lines(item["changes"], paint)]
    return lines + list(_gap_lines(answer, paint))


def at_lines(answer: Json, *, paint: Paint = PLAIN) -> list[str]:
    """One row as its columns, a table as a table."""
    if "items" not in answer:
        lines = [f"  {paint.bold(_subject(answer))}", ""]
        if answer["values"] is None:
            lines.append("    no such row then")
        else:
            lines += [f"    {name}  {value}" for name, value in _aligned(answer["values"])]
        return lines + ([] if answer["known"] else [f"  {paint.yellow('!')} {_why_unknown(answer)}"])
    items = answer["items"]
    names = list(dict.fromkeys(name for item in items for name in item["values"]))
    rows = [[_value(item["values"][name]) if name in item["values"] else "" for name in names] for item in items]
    lines = table([clean(name) for name in names], rows, paint=paint) if items else ["no rows then"]
    return lines + list(_gap_lines(answer, paint))


def _why_unknown(answer: Json) -> str:
    why = recorded_from(answer) or "the table was emptied or dropped since"
    return f"{why}: this may not be how the row stood"


def recorded_from(answer: Json) -> str | None:
    """For an answer about a moment before the record begins."""
    return f"changes are recorded from {clean(answer['record_from'])} on" if answer.get("record_from") else None


def cause(gap: Json) -> str:
    """The command that made a gap."""
    return clean(gap["ddl"]["command"]) if gap["operation"] == "ddl" else "TRUNCATE"


def _gap_lines(answer: Json, paint: Paint) -> Iterator[str]:
    if why := recorded_from(answer):
        yield f"  {paint.yellow('!')} {why}: rows may have been different"
    for gap in answer.get("gaps") or ():
        what = cause(gap)
        harm = (
            "rows are told apart by their values, and it may have changed these"
            if what == "ALTER TABLE"
            else "rows that it removed are in no record"
        )
        yield f"  {paint.yellow('!')} {what} at {clean(gap['at'])}: {harm}"


def _subject(answer: Json) -> str:
    return f"{clean(answer['table'])} {_row(answer['row'])}"


def _row(row: Json | None) -> str:
    """`42`, or `a=1, b=2`."""
    if not row:
        return "(no key)"
    if len(row) == 1:
        return clean(_plain(next(iter(row.values()))))
    return clean(", ".join(f"{name}={_plain(value)}" for name, value in row.items()))


def _author(item: Json) -> list[str]:
    version = str(item.get("code_version") or "")[:8]
    function = str(item.get("function") or "")
    parts = [f"{function}@{version}" if function and version else function]
    parts += [short_id(str(item["request_id"]))] if item.get("request_id") else []
    parts += [str(item["actor"])] if item.get("actor") else []
    parts += [f"tenant {item['tenant']}"] if item.get("tenant") else []
    return [clean(part) for part in parts if part]


def _operation(operation: str, paint: Paint) -> str:
    colour = {"green": paint.green, "red": paint.red}.get(_OPERATIONS.get(operation, ""), paint.yellow)
    return colour(clean(operation))


def _changes_of(item: Json, paint: Paint) -> list[str]:
    old, new, changed = item.get("old"), item.get("new"), item.get("changed")
    if old is not None and new is not None:
        return _change_lines(
            [{"column": name, "old": old.get(name), "new": new.get(name)} for name in changed or ()], paint
        )
    lines = [f"{name}  {value}" for name, value in _aligned(new if new is not None else old or {})]
    return [*lines, paint.dim("(its key was changed)")] if changed else lines


def _change_lines(changes: Sequence[Json], paint: Paint) -> list[str]:
    width = max((len(clean(change["column"])) for change in changes), default=0)
    return [
        "  ".join([clean(change["column"]).ljust(width), paint.red(_side(change, "old"))])
        + f" → {paint.green(_side(change, 'new'))}"
        for change in changes
    ]


def _side(change: Json, side: str) -> str:
    return _value(change[side]) if side in change else "(no such column)"


def _aligned(values: Json) -> list[tuple[str, str]]:
    width = max((len(clean(name)) for name in values), default=0)
    return [(clean(name).ljust(width), _value(value)) for name, value in values.items()]


def _value(value: Any) -> str:
    return shorten(clean(_written(value)), VALUE_WIDTH)


def _written(value: Any) -> str:
    """JSON, numbers digit for digit."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)}: {_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _written(value)
