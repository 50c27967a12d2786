"""How the columns of a table that stays are brought to what is declared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import ddl
from .change import Change, Phase, Step
from .ddl import alter
from .model import Column, Table
from .narrowing import cast, narrows
from .quoting import literal, quoted
from .renames import mentions

_NEXTVAL = re.compile(r"nextval\('((?:[^']|'')+)'::regclass\)")


def recreated(declared: Table, actual: Table, retyped: set[str]) -> set[str]:
    """Columns that are dropped: for good, or to be computed anew. `retyped`: those whose enumeration is made anew."""
    stay = declared.columns.keys() & actual.columns
    gone = set(actual.columns) - stay
    gone |= {name for name in stay if _is_other(declared.columns[name], actual.columns[name])}
    moved = gone | retyped | {name for name in stay if declared.columns[name].type != actual.columns[name].type}
    # Postgres neither drops nor retypes a column that another one is computed from.
    computed = {name for name in stay if actual.columns[name].generated and declared.columns[name].generated}
    return gone | {name for name in computed if mentions(actual.columns[name].expression or "", moved)}


def _is_other(new: Column, old: Column) -> bool:
    if new.generated:
        return (new.generated, new.expression, new.type) != (old.generated, old.expression, old.type)
    return old.generated == "virtual"


def column_changes(declared: Table, actual: Table, again: set[str]) -> Iterator[Change]:
    """`again`: what `recreated` gave."""
    for name in actual.columns:
        if name in again and name not in declared.columns:
            yield _dropped(actual, name)
    for name, new in declared.columns.items():
        old = actual.columns.get(name)
        if old is None:
            yield _added(actual, new)
        elif name in again:
            yield _made_anew(actual, old, new)
        else:
            yield from _altered(actual, old, new)


def _drop(table: Table, column: Column) -> Step:
    phase = Phase.DROP_GENERATED if column.generated else Phase.DROP_COLUMN
    return phase, alter(table.name, f"DROP COLUMN {quoted(column.name)}")


def _add(table: Table, column: Column) -> Step:
    phase = Phase.ADD_GENERATED if column.generated else Phase.ADD_COLUMN
    return phase, alter(table.name, f"ADD COLUMN {ddl.column(column)}")


def _dropped(table: Table, name: str) -> Change:
    column = table.columns[name]
    return Change(
        summary=f'drop column "{name}" of table "{table.name}"',
        steps=(_drop(table, column),),
        lost=None if column.generated else f"all values of {table.name}.{name} ({column.type}, {_rows(table)})",
    )


def _added(table: Table, column: Column) -> Change:
    given = column.expression is not None or column.identity
    return Change(
        summary=f'add column "{column.name}" to table "{table.name}"',
        steps=(_add(table, column),),
        note=None
        if given or column.nullable
        else f'"{column.name}" is NOT NULL without a default: this fails when table "{table.name}" has rows',
    )


def _made_anew(table: Table, old: Column, new: Column) -> Change:
    return Change(
        summary=f'compute column "{new.name}" of table "{table.name}" anew',
        steps=(_drop(table, old), _add(table, new)),
        lost=None if old.generated else f"all values of {table.name}.{new.name} ({old.type}, {_rows(table)})",
    )


def _altered(table: Table, old: Column, new: Column) -> Iterator[Change]:
    where = f'column "{new.name}" of table "{table.name}"'
    prefix = f"ALTER COLUMN {quoted(new.name)}"
    actions: list[str] = []
    if old.generated and not new.generated:
        actions.append(f"{prefix} DROP EXPRESSION")
    # What a column is computed from is the same here, or `recreated` would have named it.
    before = None if old.generated else old.expression
    after = None if new.generated else new.expression
    typed = old.type != new.type
    # A default of the old type may have no cast to the new one.
    if before is not None and (typed or after is None):
        actions.append(f"{prefix} DROP DEFAULT")
    if old.identity and not new.identity:
        actions.append(f"{prefix} DROP IDENTITY")
    if typed:
        actions.append(f"{prefix} TYPE {new.type} USING {cast(quoted(new.name), old.type, new.type)}")
    if new.nullable != old.nullable:
        actions.append(f"{prefix} {'DROP' if new.nullable else 'SET'} NOT NULL")
    if after is not None and (typed or after != before):
        actions.append(f"{prefix} SET DEFAULT {after}")
    if new.identity and new.identity != old.identity:
        verb = "SET" if old.identity else "ADD"
        suffix = "" if old.identity else " AS IDENTITY"
        actions.append(f"{prefix} {verb} GENERATED {new.identity.upper()}{suffix}")
    if not actions:
        return
    # One statement each: within one, a new type and what depends on it are taken in another order than written.
    steps = [(Phase.ALTER_COLUMN, alter(table.name, action)) for action in actions]
    if new.identity and not old.identity:
        # The sequence of a serial column is let go, or it would be taken for the column's: by whoever asks, and below.
        steps += [(Phase.ALTER_COLUMN, f"ALTER SEQUENCE {name} OWNED BY NONE") for name in _sequences(before)]
        steps.append((Phase.ALTER_COLUMN, _continued(table.name, new.name)))
    yield Change(
        summary=f"{where}: {_said(old, new)}",
        steps=tuple(steps),
        lost=f"values of {table.name}.{new.name} that {new.type} cannot hold ({old.type}, {_rows(table)})"
        if typed and narrows(old.type, new.type)
        else None,
        note=f"{where} becomes NOT NULL: this fails when a row has NULL there" if old.nullable > new.nullable else None,
    )


def _sequences(default: str | None) -> Iterator[str]:
    for name in _NEXTVAL.findall(default or ""):
        yield name.replace("''", "'")


def _continued(table: str, column: str) -> str:
    """Numbers go on behind those that rows have."""
    sequence = f"pg_get_serial_sequence({literal(quoted(table))}, {literal(column)})"
    highest = f"coalesce(max({quoted(column)}), 0)"
    return f"SELECT setval({sequence}, {highest} + 1, false) FROM {quoted(table)}"  # noqa: S608  names are quoted


def _said(old: Column, new: Column) -> str:
    parts = []
    if old.type != new.type:
        parts.append(f"{old.type} becomes {new.type}")
    if old.nullable != new.nullable:
        parts.append("may be NULL" if new.nullable else "NOT NULL")
    if old.generated and not new.generated:
        parts.append("no longer computed")
    elif old.expression != new.expression:
        parts.append(f"default {new.expression}" if new.expression is not None else "no default")
    if old.identity != new.identity:
        parts.append(f"identity {new.identity}" if new.identity else "no identity")
    return ", ".join(parts)


def _rows(table: Table) -> str:
    return f"about {table.rows} rows"
