"""The SQL that brings rows back to what they were. Pure: literals come from Postgres, which knows the types."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    """A row that must change; `existed`, `exists`: then, and now. `lost`: columns whose value is in no record."""

    values: Sequence[Value]
    existed: bool
    exists: bool

    @property
    def lost(self) -> tuple[str, ...]:
        if not self.existed:
            return ()
        wanted = (value for value in self.values if value.masked and value.then != value.now)
        return tuple(value.column for value in wanted)


def statement(table: str, change: Change) -> str | None:
    """One statement for one row (`table` is quoted); None when there is nothing that it could do."""
    where = " AND ".join(f"{quoted(value.column)} = {value.now or value.then}" for value in change.values if value.key)
    if change.exists and not change.existed:
        return f"DELETE FROM {table} WHERE {where};"  # noqa: S608 (quoted names and literals)
    known = [value for value in change.values if value.then is not None and not value.masked]
    if not change.exists:
        names = ", ".join(quoted(value.column) for value in known)
        literals = ", ".join(str(value.then) for value in known)
        return f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({literals});"  # noqa: S608 (as above)
    differing = [value for value in known if value.then != value.now and not value.fixed and not value.key]
    if not differing:
        return None
    assignments = ", ".join(f"{quoted(value.column)} = {value.then}" for value in differing)
    return f"UPDATE {table} SET {assignments} WHERE {where};"  # noqa: S608 (as above)


def script(table: str, changes: Sequence[Change], *, title: str) -> str:
    """All of it as one transaction: deletes first, then updates, then inserts, so that unique values are free again."""
    order = sorted(changes, key=lambda change: (change.existed, not change.exists))
    statements = [text for change in order if (text := statement(table, change)) is not None]
    lost = sorted({column for change in changes for column in change.lost})
    comments = [title]
    comments += [
        f"{quoted(column)} is masked: its value is in no record, and stays or becomes its default." for column in lost
    ]
    # Names may hold line breaks, after which a comment would be a statement.
    lines = ["-- " + " ".join(comment.splitlines()) for comment in comments]
    lines += ["BEGIN;", "SET CONSTRAINTS ALL DEFERRED;", *statements, "COMMIT;"]
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
