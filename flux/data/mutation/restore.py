"""The SQL that brings rows back to what they were. Pure: literals come from Postgres, which knows the types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# What capture makes of a masked value, in quotes as a document; a team's own text may well begin like it.
_MASKED = re.compile(r"""'("?)masked:[0-9a-f]{64}\1'""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A column of a row: `then` and `now` as literals, None where that image does not have the column.

    `fixed`: an identity column GENERATED ALWAYS, which UPDATE may not set.
    """

    column: str
    then: str | None
    now: str | None
    key: bool = False
    fixed: bool = False

    @property
    def masked(self) -> bool:
        return any(text is not None and _MASKED.fullmatch(text) for text in (self.then, self.now))


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A row that must change; `existed`, `exists`: then, and now.

    `gone`: columns that it had then, and the table no longer has. `lost`: columns whose value is in no record.
    """

    values: Sequence[Value]
    existed: bool
    exists: bool
    gone: Sequence[str] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        if not self.existed:
            return ()
        wanted = (value for value in self.values if value.masked and value.then != value.now)
        return tuple(value.column for value in wanted)


def deletion(table: str, changes: Sequence[Change]) -> str:
    """One statement for all rows: that some of them refer to others is looked at when it ends."""
    columns = [quoted(value.column) for value in changes[0].values if value.key]
    keys = [[str(value.now) for value in change.values if value.key] for change in changes]
    if len(keys) == 1:
        where = " AND ".join(f"{column} = {value}" for column, value in zip(columns, keys[0], strict=True))
    else:
        where = f"{_row(columns)} IN (\n    {_lines(map(_row, keys))})"
    return f"DELETE FROM {table} WHERE {where};"  # noqa: S608 (quoted names and literals)


def update(table: str, change: Change) -> str | None:
    """None when there is nothing that it could do."""
    where = " AND ".join(f"{quoted(value.column)} = {value.now}" for value in change.values if value.key)
    differing = [value for value in _known(change) if value.then != value.now and not value.fixed and not value.key]
    if not differing:
        return None
    assignments = ", ".join(f"{quoted(value.column)} = {value.then}" for value in differing)
    return f"UPDATE {table} SET {assignments} WHERE {where};"  # noqa: S608 (as above)


def insertions(table: str, changes: Sequence[Change]) -> Iterator[str]:
    """One statement for all rows with the same columns, for the reason that deletions have."""
    rows: dict[tuple[str, ...], list[Sequence[Value]]] = {}
    for change in changes:
        known = _known(change)
        rows.setdefault(tuple(quoted(value.column) for value in known), []).append(known)
    for names, values in rows.items():
        literals = [f"({', '.join(str(value.then) for value in row)})" for row in values]
        between = " " if len(literals) == 1 else "\n    "
        yield f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES{between}{_lines(literals)};"


def script(table: str, changes: Sequence[Change], *, title: str) -> str:
    """All of it as one transaction: deletes first, then updates, then inserts, so that unique values are free again."""
    deleted = [change for change in changes if change.exists and not change.existed]
    updated = [change for change in changes if change.exists and change.existed]
    inserted = [change for change in changes if not change.exists]
    statements = [
        *([deletion(table, deleted)] if deleted else []),
        *(text for change in updated if (text := update(table, change)) is not None),
        *insertions(table, inserted),
    ]
    lost = sorted({column for change in changes for column in change.lost})
    gone = sorted({column for change in changes for column in change.gone})
    comments = [title]
    comments += [
        f"{quoted(column)} is masked: its value is in no record, and stays or becomes its default." for column in lost
    ]
    comments += [f"{quoted(column)} is no column of the table now: what it held does not come back." for column in gone]
    # Names may hold line breaks, after which a comment would be a statement.
    lines = ["-- " + " ".join(comment.splitlines()) for comment in comments]
    lines += ["BEGIN;", "SET CONSTRAINTS ALL DEFERRED;", *statements, "COMMIT;"]
    return "\n".join(lines) + "\n"


def _known(change: Change) -> list[Value]:
    return [value for value in change.values if value.then is not None and not value.masked]


def _row(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _lines(parts: Iterable[str]) -> str:
    return ",\n    ".join(parts)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
