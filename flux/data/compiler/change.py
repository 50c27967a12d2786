"""Update and delete. Pure.

As in Postgres, they touch the rows that the operation's own grant shows; wherever the query reads columns, only those
among them that the select grant shows, because what is touched or answered tells what they hold.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from flux.data.policy.model import Grant
from flux.data.query.model import ALWAYS, Condition, Delete, Item, Update
from flux.data.schema.model import Column

from .conditions import both, condition, granted
from .names import quoted
from .parameters import Parameters
from .plan import Plan
from .statement import Place, Statement, source
from .written import check_of, check_writable, checked, finished, reader, unless


def plan_update(statement: Statement, query: Update, *, record: bool) -> Plan:
    table = statement.schema.table(query.table)
    grant = statement.grant(table, "update")
    check = check_of(grant)
    statement.apply(table, "update", grant, check)
    check_writable(statement, table, grant, [name for name, _ in query.assignments])
    place, reading = reader(statement, table)
    parameters = statement.parameters
    sets = ", ".join(
        [
            f"{quoted(name)} = {assigned(parameters, table.columns[name], slot.index)}"
            for name, slot in query.assignments
        ]
    )
    where = _touched(place, grant, reading, query.where, query.returning)
    must = checked(statement, table, check)
    return finished(
        statement,
        place,
        reading,
        f"UPDATE {source(table, 't')} SET {sets}{where}",
        returning=query.returning,
        one=False,
        record=record,
        check=unless(must) if must else "",
    )


def plan_delete(statement: Statement, query: Delete, *, record: bool) -> Plan:
    table = statement.schema.table(query.table)
    grant = statement.grant(table, "delete")
    statement.apply(table, "delete", grant)
    place, reading = reader(statement, table)
    where = _touched(place, grant, reading, query.where, query.returning)
    return finished(
        statement,
        place,
        reading,
        f"DELETE FROM {source(table, 't')}{where}",
        returning=query.returning,
        one=False,
        record=record,
        fresh=False,
    )


def assigned(parameters: Parameters, column: Column, slot: int) -> str:
    """The parameter for a value that goes into the column."""
    codec = column.codec
    parameter = parameters.slot(slot, codec.encode, column.name)
    return f"{parameter}::text{'[]' if codec.array else ''}::{codec.sql}" if codec.cast else parameter


def _touched(
    place: Place, grant: Grant, reading: Grant | None, wanted: Condition, returning: tuple[Item, ...] | None
) -> str:
    """The WHERE of the rows that may be touched."""
    statement, table = place.statement, place.table
    hidden = granted(statement, table, "t", grant)
    if reading is not None and (wanted != ALWAYS or returning != ()) and reading.where != grant.where:
        hidden = both(hidden, granted(statement, table, "t", reading))
    place.hidden = hidden
    where = condition(place, wanted)
    where = both(hidden, where, statement.gate())
    return f" WHERE {where}" if where else ""
