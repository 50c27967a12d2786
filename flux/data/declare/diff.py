"""What has to change so that a database is as declared. Pure.

Both definitions are in Postgres' words (`shadow.normalised`, `read.read_definition`). Constraints and indexes are the
same when they say the same: what they are called counts only where the author gave a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from . import ddl
from .change import Change, Phase
from .columns import column_changes, recreated
from .ddl import alter
from .enumerations import enumeration_changes, retyped
from .model import Check, Definition, ForeignKey, Index, Table, Unique
from .quoting import names, quoted
from .renames import mentions, renamed

# Above this many rows, building an index keeps writers waiting for long enough to say so.
LARGE_TABLE_ROWS = 100_000

Named = TypeVar("Named", bound="Unique | Check | Index | ForeignKey")


def diff(declared: Definition, actual: Definition) -> list[Change]:
    """The changes that make `actual` like `declared`; none when it is."""
    actual, changes = renamed(declared, actual)
    changes += enumeration_changes(declared, actual)
    made_anew = retyped(declared, actual)
    moved = _moved(declared, actual, made_anew)
    for name, table in actual.tables.items():
        if name not in declared.tables and not declared.ignores(name):
            changes.append(_dropped(table))
    for name, table in declared.tables.items():
        if declared.ignores(name):
            continue
        if name in actual.tables:
            changes += _altered(table, actual.tables[name], made_anew, moved)
        else:
            changes += _created(table)
    return changes


def _created(table: Table) -> Iterator[Change]:
    steps = [(Phase.CREATE_TABLE, ddl.create_table(table))]
    steps += [(Phase.ADD_CONSTRAINT, ddl.create_index(table.name, index)) for index in table.indexes]
    steps += [(Phase.ADD_REFERENCE, _add(table.name, ddl.foreign_key(key))) for key in table.foreign_keys]
    steps += [(Phase.COMMENT, comment) for comment in ddl.comments(table)]
    yield Change(summary=f'create table "{table.name}"', steps=tuple(steps))


def _dropped(table: Table) -> Change:
    keys = [(Phase.DROP_REFERENCE, _drop(table.name, key.name)) for key in table.foreign_keys]
    return Change(
        summary=f'drop table "{table.name}"',
        steps=(*keys, (Phase.DROP_TABLE, f"DROP TABLE {quoted(table.name)}")),
        lost=f"table {table.name} with all its rows (about {table.rows})",
    )


def _moved(declared: Definition, actual: Definition, made_anew: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """(table, column) that no foreign key may hold on to meanwhile: made anew, of another type, of another key."""
    found = set(made_anew)
    references = [key for table in actual.tables.values() for key in table.foreign_keys]
    targets = {(key.target, frozenset(key.target_columns)) for key in references}
    for name in declared.tables.keys() & actual.tables.keys():
        new, old = declared.tables[name], actual.tables[name]
        gone = recreated(new, old, {column for table, column in made_anew if table == name})
        typed = {each for each in new.columns.keys() & old.columns if new.columns[each].type != old.columns[each].type}
        keys = set(old.key) if new.key != old.key or gone & set(old.key) else set()
        for unique in old.uniques:
            if (name, frozenset(unique.columns)) in targets and not any(_same(each, unique) for each in new.uniques):
                keys |= set(unique.columns)
        found |= {(name, column) for column in gone | typed | keys}
    return found


def _altered(
    declared: Table, actual: Table, made_anew: set[tuple[str, str]], moved: set[tuple[str, str]]
) -> Iterator[Change]:
    name = declared.name
    retyped = {column for table, column in made_anew if table == name}
    gone = recreated(declared, actual, retyped)
    touched = gone | retyped
    yield from column_changes(declared, actual, gone)
    if declared.key != actual.key or gone & set(actual.key):
        yield from _key_changes(declared, actual)
    yield from _differences(
        "unique constraint", declared.uniques, _kept(actual.uniques, lambda each: bool(gone & set(each.columns))),
        add=lambda each: (Phase.ADD_CONSTRAINT, _add(name, ddl.unique(each))),
        drop=lambda each: (Phase.DROP_CONSTRAINT, _drop(name, each.name)),
        shown=lambda each: names(each.columns), table=name,
    )  # fmt: skip
    yield from _differences(
        "check", declared.checks, _kept(actual.checks, lambda each: mentions(each.expression, touched)),
        add=lambda each: (Phase.ADD_CONSTRAINT, _add(name, ddl.check(each))),
        drop=lambda each: (Phase.DROP_CONSTRAINT, _drop(name, each.name)),
        shown=lambda each: each.expression, table=name,
    )  # fmt: skip
    for change in _differences(
        "index", declared.indexes, _kept(actual.indexes, lambda each: mentions(each.definition, touched)),
        add=lambda each: (Phase.ADD_CONSTRAINT, ddl.create_index(name, each)),
        drop=lambda each: (Phase.DROP_CONSTRAINT, f"DROP INDEX {quoted(each.name or '')}"),
        shown=lambda each: each.definition, table=name,
    ):  # fmt: skip
        yield replace(change, note=_index_note(change, actual))
    yield from _differences(
        "foreign key", declared.foreign_keys, _kept(actual.foreign_keys, lambda each: _holds_on(name, each, moved)),
        add=lambda each: (Phase.ADD_REFERENCE, _add(name, ddl.foreign_key(each))),
        drop=lambda each: (Phase.DROP_REFERENCE, _drop(name, each.name)),
        shown=lambda each: f"{names(each.columns)} to {each.target}", table=name,
    )  # fmt: skip
    yield from _comment_changes(declared, actual, gone)


def _holds_on(table: str, key: ForeignKey, moved: set[tuple[str, str]]) -> bool:
    ends = {(table, column) for column in key.columns} | {(key.target, column) for column in key.target_columns}
    return bool(ends & moved)


def _key_changes(declared: Table, actual: Table) -> Iterator[Change]:
    steps = [(Phase.DROP_CONSTRAINT, _drop(actual.name, actual.key_name))] if actual.key else []
    if declared.key:
        steps.append((Phase.ADD_CONSTRAINT, _add(actual.name, ddl.primary_key(declared.key))))
    what = f"becomes ({names(declared.key)})" if declared.key else "is dropped"
    yield Change(summary=f'primary key of table "{actual.name}" {what}', steps=tuple(steps))


def _kept(found: Sequence[Named], touched: Callable[[Named], bool]) -> tuple[list[Named], list[Named]]:
    """(those that can stay, those that must go because what they are about is made anew)."""
    return [each for each in found if not touched(each)], [each for each in found if touched(each)]


def _differences(
    what: str,
    declared: Sequence[Named],
    actual: tuple[list[Named], list[Named]],
    *,
    add: Callable[[Named], tuple[Phase, str]],
    drop: Callable[[Named], tuple[Phase, str]],
    shown: Callable[[Named], str],
    table: str,
) -> Iterator[Change]:
    left: list[Named] = list(actual[0])
    gone: list[Named] = actual[1]
    missing: list[Named] = []
    for wanted in declared:
        found = next((each for each in left if _same(wanted, each)), None)
        if found is None:
            missing.append(wanted)
        else:
            left.remove(found)
    for each in (*left, *gone):
        yield Change(summary=f'drop {what} of table "{table}": {shown(each)}', steps=(drop(each),))
    for each in missing:
        yield Change(summary=f'add {what} to table "{table}": {shown(each)}', steps=(add(each),))


def _same(wanted: Named, found: Named) -> bool:
    return wanted == (found if wanted.name else replace(found, name=None))


def _comment_changes(declared: Table, actual: Table, gone: set[str]) -> Iterator[Change]:
    if declared.comment != actual.comment:
        step = (Phase.COMMENT, ddl.comment_table(declared.name, declared.comment))
        yield Change(summary=f'comment on table "{declared.name}"', steps=(step,))
    for name, column in declared.columns.items():
        old = actual.columns.get(name)
        before = old.comment if old and name not in gone else None
        if column.comment != before:
            step = (Phase.COMMENT, ddl.comment_column(declared.name, name, column.comment))
            yield Change(summary=f'comment on column "{name}" of table "{declared.name}"', steps=(step,))


def _index_note(change: Change, table: Table) -> str | None:
    if not change.summary.startswith("add") or table.rows < LARGE_TABLE_ROWS:
        return None
    return (
        f'writes to "{table.name}" (about {table.rows} rows) wait while the index is built; to avoid that, build it '
        "by hand first with CREATE INDEX CONCURRENTLY: then there is nothing left to do here"
    )


def _add(table: str, constraint: str) -> str:
    return alter(table, f"ADD {constraint}")


def _drop(table: str, constraint: str | None) -> str:
    return alter(table, f"DROP CONSTRAINT {quoted(constraint or '')}")
