"""Enumerations: labels are added in place where that is possible, else the type is made anew. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from . import ddl
from .change import Change, Phase, Step
from .ddl import alter
from .model import Column, Definition, Enumeration
from .quoting import literal, quoted
from .renames import shown


def enumeration_changes(declared: Definition, actual: Definition) -> Iterator[Change]:
    for name, wanted in declared.enumerations.items():
        found = actual.enumerations.get(name)
        if found is None:
            step = (Phase.NEW_TYPE, ddl.create_enumeration(wanted))
            yield Change(summary=f'create enumeration "{name}"', steps=(step,))
        elif found.labels != wanted.labels:
            yield (
                _made_anew(declared, actual, found, wanted)
                if _is_remade(declared, found, wanted)
                else _grown(found, wanted)
            )
    for name, found in actual.enumerations.items():
        if name not in declared.enumerations and not found.needed and not _is_used(declared, actual, found):
            step = (Phase.DROP_TYPE, f"DROP TYPE {quoted(name)}")
            yield Change(summary=f'drop enumeration "{name}", which nothing uses', steps=(step,))


def retyped(declared: Definition, actual: Definition) -> set[tuple[str, str]]:
    """(table, column) whose enumeration is made anew: what mentions them must be, too."""
    return {
        column
        for name, wanted in declared.enumerations.items()
        if (found := actual.enumerations.get(name)) and found.labels != wanted.labels
        if _is_remade(declared, found, wanted)
        for column in found.columns
    }


def _is_remade(declared: Definition, found: Enumeration, wanted: Enumeration) -> bool:
    """Labels that are only added stay in place; but the transaction that adds one may not use it."""
    rest = iter(wanted.labels)
    if not all(label in rest for label in found.labels):
        return True
    new = [literal(label) for label in wanted.labels if label not in found.labels]
    return any(label in expression for expression in _expressions(declared) for label in new)


def _expressions(declared: Definition) -> Iterator[str]:
    for table in declared.tables.values():
        yield from (column.expression for column in table.columns.values() if column.expression)
        yield from (check.expression for check in table.checks)
        yield from (index.definition for index in table.indexes)


def _grown(found: Enumeration, wanted: Enumeration) -> Change:
    steps: list[Step] = []
    for at, label in enumerate(wanted.labels):
        if label in found.labels:
            continue
        # Those before it are there already: added by the statements above, or from before.
        place = f" AFTER {literal(wanted.labels[at - 1])}" if at else f" BEFORE {literal(found.labels[0])}"
        place = place if found.labels else ""
        steps.append((Phase.NEW_TYPE, f"ALTER TYPE {quoted(wanted.name)} ADD VALUE {literal(label)}{place}"))
    added = [label for label in wanted.labels if label not in found.labels]
    return Change(summary=f'enumeration "{wanted.name}": add {", ".join(added)}', steps=tuple(steps))


def _made_anew(declared: Definition, actual: Definition, found: Enumeration, wanted: Enumeration) -> Change:
    old = quoted(f"{wanted.name[:50]}_before")
    steps: list[Step] = [
        (Phase.CHANGE_TYPE, f"ALTER TYPE {quoted(wanted.name)} RENAME TO {old}"),
        (Phase.CHANGE_TYPE, ddl.create_enumeration(wanted)),
    ]
    for table, name in sorted(found.columns):
        column = actual.tables[table].columns[name] if table in actual.tables else None
        after = column if declared.ignores(table) else _declared(declared, table, name)
        # What is dropped, or gets a type of its own, is so by other changes, before the old type is dropped.
        if column is None or after is None or not _is_of(after.type, wanted.name):
            continue
        array = "[]" if column.type.endswith("[]") else ""
        type_ = f"{quoted(wanted.name)}{array}"
        prefix = f"ALTER COLUMN {quoted(name)}"
        actions = [f"{prefix} DROP DEFAULT", f"{prefix} TYPE {type_} USING {quoted(name)}::text{array}::{type_}"]
        if after.expression and not after.generated and after.type == column.type:
            actions.append(f"{prefix} SET DEFAULT {after.expression}")
        steps += [(Phase.CHANGE_TYPE, alter(table, action)) for action in actions]
    steps.append((Phase.DROP_TYPE, f"DROP TYPE {old}"))
    removed = [label for label in found.labels if label not in wanted.labels]
    return Change(
        summary=f'enumeration "{wanted.name}" becomes {", ".join(wanted.labels)}',
        steps=tuple(steps),
        lost=f"label {', '.join(removed)} of enumeration {wanted.name}: this fails while a row has it"
        if removed
        else None,
        note="tables that use the enumeration are written anew, and locked meanwhile" if found.columns else None,
    )


def _declared(declared: Definition, table: str, column: str) -> Column | None:
    found = declared.tables.get(table)
    return found.columns.get(column) if found else None


def _is_used(declared: Definition, actual: Definition, found: Enumeration) -> bool:
    for table, name in found.columns:
        if declared.ignores(table) or table not in actual.tables:
            return True
        column = _declared(declared, table, name)
        if column and _is_of(column.type, found.name):
            return True
    return False


def _is_of(type_: str, enumeration: str) -> bool:
    """Whether a type, as Postgres prints it, is the enumeration or an array of it."""
    return type_.removesuffix("[]") in (shown(enumeration), quoted(enumeration))
