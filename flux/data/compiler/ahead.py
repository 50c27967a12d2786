"""Checks of rows before they are written. Pure.

What decides is the check of a row as it has become (`written`). But Postgres looks at unique and foreign keys before
that, and their errors would tell of rows that the caller may not see, for a row that he may not write either. So a
check that can be told from the values alone is asked ahead, as Postgres' own row security does it.

It cannot be told where a BEFORE trigger may change the row, or where the check looks at what only Postgres will know: a
generated or computed column, or a default that is no constant. Then it is left to `late`.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    Some,
    Target,
    Update,
)
from flux.data.schema.model import Table

from .conditions import granted, policy
from .given import Given, default, maker, rows_source, slots_of, value
from .hidden import both
from .names import quoted
from .statement import Late, Statement, source
from .written import check_of, when


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
    given = Given(slots, lambda name: value(statement, table.columns[name], slots[name]))
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
    rows = slots_of(query, list(dict.fromkeys([*_columns(check, table), *keys])))
    if not _foreseeable(table, check) or any(
        slot is None and default(table.columns[name]) is None for row in rows for name, slot in row.items()
    ):
        statement.late["INSERT"] = Late(check, keys, reading if keys else None)
        return ""
    given = Given(rows[0], maker(statement, table, query, rows))
    allowed = policy(statement, table, "v", check, given)
    if keys and reading is not None:
        allowed = f"({allowed}) OR {is_there(statement, table, {name: given[name] for name in keys}, reading)}"
    rows_from = rows_source(statement, table, query, rows, list(given.made))
    return f"(SELECT bool_and({when(allowed)}){rows_from})" if rows_from else f"(SELECT {when(allowed)})"


def is_there(statement: Statement, table: Table, key: Mapping[str, str], reading: Grant) -> str:
    """Whether a row with these values is there and seen. A hidden one must make no difference to what is refused."""
    alias = statement.alias()
    same = [f"{alias}.{quoted(name)} = {value}" for name, value in key.items()]
    where = both(*same, granted(statement, table, alias, reading))
    return f"EXISTS (SELECT 1 FROM {source(table, alias)} WHERE {where})"


def may_be_late(table: Table, policy: TablePolicy) -> bool:
    """Whether some write under the policy may need the trigger of `late`."""
    checks = [check_of(grant) for (_, operation), grant in policy.grants.items() if operation in ("insert", "update")]
    return any(check != ALWAYS and not is_plain(table, check) for check in checks)


def is_plain(table: Table, check: Condition) -> bool:
    """Whether the check can be told ahead of every write."""
    return _foreseeable(table, check) and all(
        default(table.columns[name]) is not None for name in _columns(check, table)
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
