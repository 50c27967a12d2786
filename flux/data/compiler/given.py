"""The values that rows are about to get, as expressions. Pure."""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from flux.data.query.model import Insert, Slot
from flux.data.schema.model import Column, Table

from .assigned import assigned, listed, unnested
from .statement import Statement

# Defaults that are the same whenever they are asked for, as Postgres prints them: 7, true, 'x'::text, '{}'::integer[].
_CONSTANT: Final = re.compile(
    r"(?:\(?-?[0-9.]+\)?|true|false|NULL|'(?:[^'\\]|'')*')(?:::[a-z][a-z0-9 _]*(?:\([0-9,]+\))?(?:\[\])?)?"
)


class Given(Mapping[str, str]):
    """The expressions of columns that are about to be written, made when they are asked for: a parameter that is in no
    text has no type.
    """

    def __init__(self, names: Iterable[str], make: Callable[[str], str]) -> None:
        self._names = frozenset(names)
        self._make = make
        self.made: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def slots_of(query: Insert, names: Sequence[str]) -> list[dict[str, Slot | None]]:
    """Row by row the slots of these columns, None for a default; of lists, one row of the lists' slots."""
    rows = [query.lists] if query.rows is None else query.rows
    places = {name: query.columns.index(name) if name in query.columns else None for name in names}
    return [{name: None if place is None else row[place] for name, place in places.items()} for row in rows]


def maker(
    statement: Statement, table: Table, query: Insert, rows: Sequence[Mapping[str, Slot | None]]
) -> Callable[[str], str]:
    """What makes a column's expression: a parameter of the only row, or the column of what `rows_source` gives."""
    if query.rows is not None and len(rows) == 1:
        return lambda name: value(statement, table.columns[name], rows[0][name])
    # By their place in the table, as those that are asked for are not known yet.
    numbers = {name: number for number, name in enumerate(table.columns, 1)}
    return lambda name: f"v.c{numbers[name]}"


def rows_source(
    statement: Statement,
    table: Table,
    query: Insert,
    rows: Sequence[Mapping[str, Slot | None]],
    names: Sequence[str],
) -> str:
    """FROM with all rows and these of their columns; "" where there is one row, whose values need none."""
    if (query.rows is not None and len(rows) == 1) or not names:
        return ""
    numbers = {name: number for number, name in enumerate(table.columns, 1)}
    labels = ", ".join([f"c{numbers[name]}" for name in names])
    if query.rows is not None:
        tuples = [", ".join([value(statement, table.columns[name], row[name]) for name in names]) for row in rows]
        return f" FROM (VALUES {', '.join([f'({entry})' for entry in tuples])}) AS v ({labels})"
    arrays, values = [], []
    for name in names:
        column, slot = table.columns[name], rows[0][name]
        if slot is None:
            values.append(value(statement, column, None))
        else:
            arrays.append(listed(statement.parameters, column, slot.index))
            values.append(_typed(unnested(column, f"u.c{len(arrays)}"), column))
    if not arrays:
        return f" FROM (SELECT {', '.join(values)}) AS v ({labels})"
    inner = ", ".join([f"c{number}" for number in range(1, len(arrays) + 1)])
    return f" FROM (SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS u ({inner})) AS v ({labels})"


def value(statement: Statement, column: Column, slot: Slot | None) -> str:
    """A parameter, or the default."""
    sql = str(default(column)) if slot is None else assigned(statement.parameters, column, slot.index)
    return _typed(sql, column)


def _typed(sql: str, column: Column) -> str:
    return f"({sql})::{column.type}"


def default(column: Column) -> str | None:
    """The expression of a default that is a constant; None when it is more than that."""
    if column.default is None:
        return None if column.generated else "NULL"
    return column.default if _CONSTANT.fullmatch(column.default) else None
