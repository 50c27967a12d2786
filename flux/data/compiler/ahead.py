"""Checks of rows before they are written. Pure.

What decides is the check of a row as it has become (`written`). But Postgres looks at unique and foreign keys before
that, and their errors would tell of rows that the caller may not see, for a row that he may not write either. So a
check that can be told from the values alone is asked ahead, as Postgres' own row security does it.

It cannot be told where a BEFORE trigger may change the row, or where the check looks at what only Postgres will know: a
generated or computed column, or a default that is no constant. Then it is left to `late`.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from flux.data.policy.model import Grant, TablePolicy
from flux.data.query.model import (
    ALWAYS,
    Compare,
    Condition,
    Every,
    Insert,
    Is,
    Not,
    Related,
    Slot,
    Some,
    Target,
    Update,
)
from flux.data.schema.model import Column, Table

from .assigned import assigned, listed, unnested
from .conditions import both, granted, policy
from .names import quoted
from .statement import Late, Statement, source
from .written import check_of, when

# Defaults that are the same whenever they are asked for, as Postgres prints them: 7, true, 'x'::text, '{}'::integer[].
_CONSTANT: Final = re.compile(
    r"(?:\(?-?[0-9.]+\)?|true|false|NULL|'(?:[^'\\]|'')*')(?:::[a-z][a-z0-9 _]*(?:\([0-9,]+\))?(?:\[\])?)?"
)


class _Given(Mapping[str, str]):
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


def update_ahead(statement: Statement, table: Table, query: Update, grant: Grant) -> str:
    """The check of the row called t with the values that it is about to get. "" when it cannot be told, or holds anyway
    for what the grant covers.
    """
    check, slots = check_of(grant), dict(query.assignments)
    if check == ALWAYS:
        return ""
    if not _foreseeable(table, check):
        # A row may move to another partition, which inserts it there.
        statement.late = {"UPDATE": Late(check), "INSERT": Late(check)}
        return ""
    if grant.check is None and slots.keys().isdisjoint(_columns(check, table)):
        return ""
    given = _Given(slots, lambda name: _value(statement, table.columns[name], slots[name]))
    return policy(statement, table, "t", check, given)


def conflict_ahead(statement: Statement, table: Table, changed: Sequence[str], check: Condition) -> str:
    """The same for a row t that an upsert is about to change to values of EXCLUDED."""
    if check == ALWAYS:
        return ""
    if not _foreseeable(table, check):
        statement.late["UPDATE"] = Late(check)
        return ""
    return policy(statement, table, "t", check, {name: f"EXCLUDED.{quoted(name)}" for name in changed})


def insert_ahead(statement: Statement, table: Table, query: Insert, check: Condition, reading: Grant | None) -> str:
    """A condition that is evaluated once, and ends the statement when a row may not be inserted; "" when it cannot be
    told. Rows of an upsert that are there already, as far as `reading` shows them, will not be inserted.
    """
    if check == ALWAYS:
        return ""
    keys = query.conflict.columns if query.conflict else ()
    rows = _slots(query, list(dict.fromkeys([*_columns(check, table), *keys]))) if _foreseeable(table, check) else None
    if rows is None or any(
        slot is None and _default(table.columns[name]) is None for row in rows for name, slot in row.items()
    ):
        statement.late["INSERT"] = Late(check, keys, reading if keys else None)
        return ""
    given = _Given(rows[0], _maker(statement, table, query, rows))
    allowed = policy(statement, table, "v", check, given)
    if keys and reading is not None:
        allowed = f"({allowed}) OR {is_there(statement, table, {name: given[name] for name in keys}, reading)}"
    rows_from = _source(statement, table, query, rows, list(given.made))
    return f"(SELECT bool_and({when(allowed)}){rows_from})" if rows_from else f"(SELECT {when(allowed)})"


def is_there(statement: Statement, table: Table, key: Mapping[str, str], reading: Grant) -> str:
    """Whether a row with these values is there and seen. A hidden one must make no difference to what is refused."""
    alias = statement.alias()
    same = [f"{alias}.{quoted(name)} = {value}" for name, value in key.items()]
    where = both(*same, granted(statement, table, alias, reading))
    return f"EXISTS (SELECT 1 FROM {source(table, alias)} WHERE {where})"


def _slots(query: Insert, names: Sequence[str]) -> list[dict[str, Slot | None]]:
    """Row by row the slots of these columns, None for a default; of lists, one row of the lists' slots."""
    rows = [query.lists] if query.rows is None else query.rows
    places = {name: query.columns.index(name) if name in query.columns else None for name in names}
    return [{name: None if place is None else row[place] for name, place in places.items()} for row in rows]


def _maker(
    statement: Statement, table: Table, query: Insert, rows: Sequence[Mapping[str, Slot | None]]
) -> Callable[[str], str]:
    """What makes a column's expression: a parameter of the only row, or the column of what `_source` gives."""
    if query.rows is not None and len(rows) == 1:
        return lambda name: _value(statement, table.columns[name], rows[0][name])
    # By their place in the table, as those that are asked for are not known yet.
    numbers = {name: number for number, name in enumerate(table.columns, 1)}
    return lambda name: f"v.c{numbers[name]}"


def _source(
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
        tuples = [", ".join([_value(statement, table.columns[name], row[name]) for name in names]) for row in rows]
        return f" FROM (VALUES {', '.join([f'({entry})' for entry in tuples])}) AS v ({labels})"
    arrays, values = [], []
    for name in names:
        column, slot = table.columns[name], rows[0][name]
        if slot is None:
            values.append(_value(statement, column, None))
        else:
            arrays.append(listed(statement.parameters, column, slot.index))
            values.append(_typed(unnested(column, f"u.c{len(arrays)}"), column))
    if not arrays:
        return f" FROM (SELECT {', '.join(values)}) AS v ({labels})"
    inner = ", ".join([f"c{number}" for number in range(1, len(arrays) + 1)])
    return f" FROM (SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS u ({inner})) AS v ({labels})"


def _value(statement: Statement, column: Column, slot: Slot | None) -> str:
    """A parameter, or the default."""
    sql = str(_default(column)) if slot is None else assigned(statement.parameters, column, slot.index)
    return _typed(sql, column)


def _typed(sql: str, column: Column) -> str:
    return f"({sql})::{column.type}"


def _default(column: Column) -> str | None:
    """The expression of a default that is a constant; None when it is more than that."""
    if column.default is None:
        return None if column.generated else "NULL"
    return column.default if _CONSTANT.fullmatch(column.default) else None


def may_be_late(table: Table, policy: TablePolicy) -> bool:
    """Whether some write under the policy may need the trigger of `late`."""
    checks = [check_of(grant) for (_, operation), grant in policy.grants.items() if operation in ("insert", "update")]
    return any(check != ALWAYS and not is_plain(table, check) for check in checks)


def is_plain(table: Table, check: Condition) -> bool:
    """Whether the check can be told ahead of every write."""
    return _foreseeable(table, check) and all(
        _default(table.columns[name]) is not None for name in _columns(check, table)
    )


def _foreseeable(table: Table, check: Condition) -> bool:
    """Whether the check looks at nothing but columns that will be as they are given. What is behind a view, or on
    another server, nobody knows.
    """
    if table.rewritten or table.kind not in ("table", "partitioned"):
        return False
    found = [table.columns.get(name) for name in _columns(check, table)]
    return all(column is not None and column.generated not in ("stored", "virtual") for column in found)


def _columns(condition: Condition, table: Table) -> Iterator[str]:
    """The columns of the condition's own table that it looks at."""
    match condition:
        case Every(terms) | Some(terms):
            for term in terms:
                yield from _columns(term, table)
        case Not(term):
            yield from _columns(term, table)
        case Is(target):
            yield target.column
        case Compare(target, _, operand):
            yield target.column
            if isinstance(operand, Target):
                yield operand.column
        case Related(name):
            yield from table.relation(name).columns
