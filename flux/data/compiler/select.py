"""Select and count, with related rows in one statement. Pure.

Related rows are subqueries of the select list, not joins: Postgres evaluates them after ORDER BY and LIMIT, for rows of
the answer alone, and an index on the foreign key serves each. All rows arrive as JSON text (`json_form`).
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from collections.abc import Sequence

from flux.data.query.model import Count, Nested, Select, Slot
from flux.data.schema.model import Table
from flux.data.types.from_json import integer
from flux.failure import invalid

from .conditions import condition, hiding, related_place
from .distinct import distinct_on, distinct_rows
from .fields import Field, all_columns, field, json_object, known_name, readable_items
from .hidden import both, seen
from .names import quoted
from .order import Sorted, behind, order_text, sorting
from .plan import Plan
from .statement import Place, Statement, joined, source
from .terms import call

_ROWS = integer(64)


def plan_select(statement: Statement, query: Select) -> Plan:
    place = readable_place(statement, statement.schema.table(query.table))
    if query.distinct == ("*",):
        text = distinct_rows(place, query, rows)
    else:
        value = all_columns(place, one=query.one) if query.fields is None else _object(place, query, [], one=query.one)
        order, distinct = sorting(place, query), ""
        if query.distinct:
            order, distinct = distinct_on(place, query.distinct, order)
        text = f"SELECT {distinct}{value} FROM {rows(place, query, order)}"
    return Plan(
        text=text,
        sources=tuple(statement.parameters.sources),
        shape="row" if query.one else "rows",
        writes=False,
        tables=statement.tables(),
        policies=tuple(statement.applied),
    )


def plan_count(statement: Statement, query: Count) -> Plan:
    place = readable_place(statement, statement.schema.table(query.table))
    where = seen(place, condition(place, query.where), statement.gate())
    return Plan(
        text=f"SELECT count(*) AS n FROM {source(place.table, 't')}{' WHERE ' + where if where else ''}",
        sources=tuple(statement.parameters.sources),
        shape="number",
        writes=False,
        tables=statement.tables(),
        policies=tuple(statement.applied),
    )


def readable_place(statement: Statement, table: Table, alias: str = "t") -> Place:
    """The rows and columns of a table that the role may read. Raises 403 FORBIDDEN_TABLE."""
    grant = statement.grant(table, "select")
    statement.apply(table, "select", grant)
    return hiding(Place(statement, table, alias, grant.readable), grant)


def rows(place: Place, query: Select, order: Sequence[Sorted], relation: str = "", *, one: bool = False) -> str:
    """What follows FROM: the table's rows that are asked for, in their order. `relation`: those of one parent; `one`:
    as there is no more than one.

    At the top level this is written last, when all that may fail is known to the statement.
    """
    statement = place.statement
    conditions = condition(place, query.where), behind(place, order, query.after)
    where = both(relation, seen(place, *conditions), "" if relation else statement.gate())
    return (
        f"{source(place.table, place.alias)}{' WHERE ' + where if where else ''}{order_text(order)}"
        f"{limits(statement, query.limit, query.offset, one=one or query.one)}"
    )


def limits(statement: Statement, limit: Slot | None, offset: Slot | None, *, one: bool = False) -> str:
    if one:
        text = " LIMIT 1"
    elif limit is None:
        text = f" LIMIT {statement.guard.default_rows}"
    else:
        text = f" LIMIT {statement.parameters.slot(limit.index, _ROWS, 'limit')}"
    if offset is not None:
        text += f" OFFSET {statement.parameters.slot(offset.index, _ROWS, 'offset')}"
    return text


def _nested(place: Place, nested: Nested) -> str:
    """A subquery whose one value is the JSON text of the related rows; of the related row, or NULL, if there is one."""
    relation = place.table.relation(nested.relation)
    target = related_place(place, relation)
    assert target is not None
    query = nested.select
    if query.distinct or query.after:
        raise invalid('"distinct" and "after" are for the rows of the query itself, not for related ones.')
    on = joined(relation, place.alias, target.alias)
    order = sorting(target, query, related=True)
    if not relation.many:
        found = rows(target, query, order, on, one=query.limit is None)
        return f"(SELECT {_object(target, query, [])} FROM {found})"
    computed: list[str] = []
    target.ready = True
    value = _object(target, query, computed)
    target.ready = False
    found = rows(target, query, order, on)
    inner = ", ".join((f"{target.alias}.*", *computed))
    return f"(SELECT concat('[', string_agg({value}, ','), ']') FROM (SELECT {inner} FROM {found}) AS {target.alias})"


def _object(place: Place, query: Select, computed: list[str], *, one: bool = False) -> str:
    """The JSON object of one row. What it needs beside the columns of a subquery's rows goes into `computed`."""
    fields: list[Field] = []
    for entry in readable_items(place) if query.fields is None else query.fields:
        if isinstance(entry, Nested):
            name = known_name(place.table, entry.alias)
            fields.append(Field(entry.alias, name, f"coalesce({_nested(place, entry)}, 'null')"))
            continue
        fields.append(field(place, entry))
        extra = place.table.computed.get(entry.target.column) if place.ready else None
        if extra is not None:
            computed.append(f"{call(extra, place.alias)} AS {quoted(extra.name)}")
    return json_object(fields, place.statement.parameters, one=one)
