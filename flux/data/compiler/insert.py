"""Insert and upsert: one row, rows alike (as lists), rows that differ in their columns. Pure."""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from flux.data.query.model import Insert
from flux.data.schema.model import Table
from flux.failure import HostError

from .ahead import insert_ahead
from .assigned import assigned, listed, unnested
from .hidden import both
from .late import asked_late
from .names import quoted
from .plan import Plan
from .statement import Statement, source
from .upsert import on_conflict
from .written import check_of, check_writable, checked, finished, reader, unless


def plan_insert(statement: Statement, query: Insert, *, record: bool) -> Plan:
    table = statement.schema.table(query.table)
    grant = statement.grant(table, "insert")
    check = check_of(grant)
    statement.apply(table, "insert", grant, check)
    check_writable(statement, table, grant, query.columns)
    place, reading = reader(statement, table)
    if query.rows == ():
        return Plan(text="SELECT 1 WHERE false", sources=(), shape="no rows", writes=False, tables=(table.name,))
    _check_required(table, query)
    command = f"INSERT INTO {source(table, 't')}{_data(statement, table, query)}"
    before = ""
    must = checked(statement, table, check)
    guard = unless(must) if must else ""
    if query.conflict is not None:
        ending, guard, before = on_conflict(statement, place, reading, query, query.conflict, check, guard)
        command += ending
    before = both(before, insert_ahead(statement, table, query, check, reading), asked_late(statement, table))
    return finished(
        statement,
        place,
        reading,
        command,
        returning=query.returning,
        one=query.one,
        record=record,
        check=guard,
        before=before,
    )


def _check_required(table: Table, query: Insert) -> None:
    """Raises 400 MISSING_VALUE naming every column that some row must have a value for and has not."""
    given = set(query.columns)
    if query.rows is not None:
        for row in query.rows:
            given -= {name for name, slot in zip(query.columns, row, strict=True) if slot is None}
    missing = [column.name for column in table.columns.values() if column.required and column.name not in given]
    if missing:
        names = ", ".join([f'"{name}"' for name in missing])
        raise HostError(
            "MISSING_VALUE",
            400,
            f'A row of table "{table.name}" needs values for: {names}.',
            {"table": table.name, "columns": missing},
        )


def _data(statement: Statement, table: Table, query: Insert) -> str:
    if query.rows is None:
        return _lists(statement, table, query)
    columns, parameters = query.columns, statement.parameters
    if not columns:
        if len(query.rows) == 1:
            return " DEFAULT VALUES"
        # Rows of nothing but defaults: of several, Postgres wants at least one column to be named.
        first = next(iter(table.columns))
        return f" ({quoted(first)}) VALUES {', '.join(['(DEFAULT)'] * len(query.rows))}"
    found = [table.columns[name] for name in columns]
    rows = ", ".join(
        [
            "("
            + ", ".join(
                [
                    "DEFAULT" if slot is None else assigned(parameters, column, slot.index)
                    for column, slot in zip(found, row, strict=True)
                ]
            )
            + ")"
            for row in query.rows
        ]
    )
    return f" ({', '.join([quoted(name) for name in columns])}) VALUES {rows}"


def _lists(statement: Statement, table: Table, query: Insert) -> str:
    """Any number of rows with one parameter per column; unnest keeps their order."""
    arrays, values = [], []
    for number, (name, slot) in enumerate(zip(query.columns, query.lists, strict=True), 1):
        column = table.columns[name]
        arrays.append(listed(statement.parameters, column, slot.index))
        values.append(unnested(column, f"v.c{number}"))
    names = ", ".join([quoted(name) for name in query.columns])
    labels = ", ".join([f"c{number}" for number in range(1, len(arrays) + 1)])
    return f" ({names}) SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS v ({labels})"
