"""One difference, and the SQL that removes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Phase(IntEnum):
    """In which order statements run, whatever change they belong to."""

    RENAME = 1
    NEW_TYPE = 2
    DROP_REFERENCE = 3  # foreign keys, before the keys that they need
    DROP_CONSTRAINT = 4  # and indexes, before the columns that they are about
    DROP_GENERATED = 5  # before the columns that they are computed from
    CHANGE_TYPE = 6
    CREATE_TABLE = 7
    DROP_COLUMN = 8
    ADD_COLUMN = 9
    ALTER_COLUMN = 10
    ADD_GENERATED = 11
    DROP_TABLE = 12
    ADD_CONSTRAINT = 13
    ADD_REFERENCE = 14
    COMMENT = 15
    DROP_TYPE = 16


Step = tuple[Phase, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """`summary` says what changes, `lost` which data would be gone, `note` what else one should know."""

    summary: str
    steps: tuple[Step, ...]
    lost: str | None = None
    note: str | None = None


def statements(changes: Iterable[Change]) -> list[str]:
    """The SQL of all changes, in an order in which each finds what it needs."""
    steps = [step for change in changes for step in change.steps]
    return [sql for _, sql in sorted(steps, key=lambda step: step[0])]
