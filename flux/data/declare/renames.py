"""What the author says was only renamed, and the definition as it is after that. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from .change import Change, Phase
from .ddl import alter
from .model import Definition, Enumeration, ForeignKey, Table
from .quoting import quoted


def renamed(declared: Definition, actual: Definition) -> tuple[Definition, list[Change]]:
    """`actual` after the renames that `declared` hints at, and these. A hint whose name is taken or gone is spent."""
    actual, changes = _tables(declared, actual)
    tables, enumerations = dict(actual.tables), actual.enumerations
    for name, wanted in declared.tables.items():
        table = tables.get(name)
        if table is None:
            continue
        for new, column in wanted.columns.items():
            old = column.renamed_from
            if old and old in table.columns and old not in wanted.columns and new not in table.columns:
                table = tables[name] = _with_column(table, old, new)
                tables = {other: _followed(each, name, old, new) for other, each in tables.items()}
                table = tables[name]
                enumerations = _moved(enumerations, {(name, old): (name, new)})
                changes.append(
                    Change(
                        summary=f'rename column "{old}" of table "{name}" to "{new}"',
                        steps=((Phase.RENAME, alter(name, f"RENAME COLUMN {quoted(old)} TO {quoted(new)}")),),
                    )
                )
    return replace(actual, tables=tables, enumerations=enumerations), changes


def _tables(declared: Definition, actual: Definition) -> tuple[Definition, list[Change]]:
    new_names: dict[str, str] = {}
    for name, table in declared.tables.items():
        old = table.renamed_from
        if old and old in actual.tables and old not in declared.tables and name not in actual.tables:
            new_names[old] = name
    tables = {
        new_names.get(name, name): replace(
            table,
            name=new_names.get(name, name),
            foreign_keys=tuple(
                replace(key, target=new_names.get(key.target, key.target)) for key in table.foreign_keys
            ),
        )
        for name, table in actual.tables.items()
    }
    changes = [
        Change(
            summary=f'rename table "{old}" to "{new}"',
            steps=((Phase.RENAME, alter(old, f"RENAME TO {quoted(new)}")),),
        )
        for old, new in new_names.items()
    ]
    columns = {(old, column): (new, column) for old, new in new_names.items() for column in actual.tables[old].columns}
    return replace(actual, tables=tables, enumerations=_moved(actual.enumerations, columns)), changes


def _moved(
    enumerations: Mapping[str, Enumeration], columns: Mapping[tuple[str, str], tuple[str, str]]
) -> dict[str, Enumeration]:
    """With what their columns are called now."""
    return {
        name: replace(each, columns=frozenset(columns.get(column, column) for column in each.columns))
        for name, each in enumerations.items()
    }


def _with_column(table: Table, old: str, new: str) -> Table:
    def names(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in columns)

    def text(expression: str) -> str:
        return mention(old).sub(lambda _: shown(new), expression)

    columns = {}
    for name, column in table.columns.items():
        expression = text(column.expression) if column.generated and column.expression else column.expression
        columns[new if name == old else name] = replace(
            column, name=new if name == old else name, expression=expression
        )
    return replace(
        table,
        columns=columns,
        key=names(table.key),
        uniques=tuple(replace(unique, columns=names(unique.columns)) for unique in table.uniques),
        foreign_keys=tuple(replace(key, columns=names(key.columns)) for key in table.foreign_keys),
        checks=tuple(replace(check, expression=text(check.expression)) for check in table.checks),
        indexes=tuple(replace(index, definition=text(index.definition)) for index in table.indexes),
    )


def _followed(table: Table, target: str, old: str, new: str) -> Table:
    """With its foreign keys to the renamed column."""

    def followed(key: ForeignKey) -> ForeignKey:
        if key.target != target:
            return key
        return replace(key, target_columns=tuple(new if name == old else name for name in key.target_columns))

    return replace(table, foreign_keys=tuple(map(followed, table.foreign_keys)))


def mention(column: str) -> re.Pattern[str]:
    """Where an expression that Postgres printed names a column; outside of quotes it has no other form."""
    return re.compile(rf'(?<![\w$"\'.]){re.escape(shown(column))}(?![\w$"\'(])')


def shown(name: str) -> str:
    """As Postgres prints an identifier: in quotes where they are needed. Keywords are taken for plain names."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else quoted(name)


def mentions(text: str, columns: Mapping[str, object] | set[str]) -> bool:
    """Whether an expression may name one of these columns; says yes when in doubt."""
    return any(name in text or quoted(name) in text for name in columns)
