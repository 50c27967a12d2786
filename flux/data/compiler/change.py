"""Update and delete. Pure.

As in Postgres, they touch the rows that the operation's own grant shows; wherever the query reads columns, only those
among them that the select grant shows, because what is touched or answered tells what they hold.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from flux.data.policy.model import Grant
from flux.data.query.model import ALWAYS, Condition, Delete, Item, Update

from .ahead import update_ahead
from .assigned import assigned
from .conditions import condition, hiding
from .hidden import seen
from .late import asked_late
from .names import quoted
from .plan import Plan
from .statement import Place, Statement, source
from .written import check_of, check_writable, checked, finished, reader, unless, when


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
    ahead = update_ahead(statement, table, query, grant)
    if ahead:
        # CASE: of rows that are not touched, nobody must learn what the check says.
        where = f"{where} AND CASE WHEN {where} THEN {when(ahead)} ELSE false END" if where else when(ahead)
    must = checked(statement, table, check)
    return finished(
        statement,
        place,
        reading,
        f"UPDATE {source(table, 't')} SET {sets}{_where(where)}",
        returning=query.returning,
        one=False,
        record=record,
        check=unless(must) if must else "",
        before=asked_late(statement, table),
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
        f"DELETE FROM {source(table, 't')}{_where(where)}",
        returning=query.returning,
        one=False,
        record=record,
        fresh=False,
    )


def _touched(
    place: Place, grant: Grant, reading: Grant | None, wanted: Condition, returning: tuple[Item, ...] | None
) -> str:
    """The condition of the rows that may be touched; "" for all."""
    hiding(place, grant)
    if reading is not None and (wanted != ALWAYS or returning != ()) and reading.where != grant.where:
        hiding(place, reading)
    where = condition(place, wanted)
    return seen(place, where, place.statement.gate())


def _where(condition: str) -> str:
    return f" WHERE {condition}" if condition else ""
