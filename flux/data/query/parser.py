"""`parse`: a query from JSON to its Query and values, with every error named by its place. Pure.

`conditions` reads where and having, `rows` reads data; the keys that each operation takes are those of `format`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from flux.failure import HostError, nearest

from .conditions import Conditions, always, check_nesting
from .fields import group_fields, measures, names, order, returning
from .format import DEFAULT_OPERATION, NESTED, OPERATION, WHOLE_ROW, Operation
from .forms import FORMS
from .model import (
    ALWAYS,
    Aggregate,
    Condition,
    Count,
    Delete,
    Insert,
    Item,
    Nested,
    Query,
    Select,
    Slot,
    Target,
    Update,
)
from .rows import columns_of, conflict, one_row, several_rows
from .targets import field, name, target, written
from .values import Values
from .wrong import at, unknown, wrong

Document = dict[str, Any]


def parse(document: Any) -> tuple[Query, list[Any]]:
    """The query and the values at its slots, the same that `read` gives.

    Raises 400 INVALID_QUERY, WHERE_REQUIRED, QUERY_TOO_DEEP, each with the place in `details`.
    """
    if not isinstance(document, dict):
        raise wrong("", 'must be an object, as {"table": "users", "where": {"id": 1}}.')
    operation = document.get("operation")
    if operation is None:
        operation = DEFAULT_OPERATION
    if not isinstance(operation, str) or operation not in OPERATION:
        close = nearest(operation[:100], OPERATION) if isinstance(operation, str) else ""
        raise wrong("operation", f"must be {FORMS['operation'].words}.{close}")
    _check_keys(document, OPERATION[operation], "")
    table = name(document.get("table"), "table")
    values = Values()
    return _OPERATIONS[operation](table, document, values), values.list


def _check_keys(document: Document, operation: Operation, place: str) -> None:
    """A key that is null counts as left out, since not every language can leave one out."""
    allowed = operation.allowed
    for key in document:
        if key not in allowed:
            raise unknown(place, "key", str(key), allowed)
    for required in operation.required:
        if document.get(required.name) is None:
            raise wrong(at(place, required.name), f"is missing; it must be {FORMS[required.form].words}.")
    for first, second in operation.exclusive:
        if document.get(first) is not None and document.get(second) not in (None, False):
            raise wrong(at(place, second), f'cannot be combined with "{first}".')


def _select(table: str, document: Document, values: Values) -> Select:
    rows = _rows(table, document, values, "", 0)
    after = document.get("after")
    if after is not None and (not isinstance(after, dict) or not after):
        raise wrong("after", f"must be {FORMS['after'].words}.")
    distinct = document.get("distinct")
    if distinct is None or distinct is False:
        distinct = ()
    elif distinct is True:
        distinct = (WHOLE_ROW,)
    else:
        distinct = names(distinct, "distinct", FORMS["distinct"])
        if WHOLE_ROW in distinct:
            raise wrong("distinct", f'must be true where "{WHOLE_ROW}" stands for whole rows.')
    return Select(
        table,
        *rows,
        tuple((written(target(text, f"after.{text}")), values.slot(value)) for text, value in (after or {}).items()),
        distinct,
        _flag(document, "one"),
    )


_Rows = tuple["tuple[Item | Nested, ...] | None", Condition, "tuple[Any, ...]", "Slot | None", "Slot | None"]


def _rows(table: str, document: Document, values: Values, place: str, level: int) -> _Rows:
    """What a select and related rows have in common, in the order of Select's attributes."""
    select, columns = document.get("select"), document.get("columns")
    fields: tuple[Item | Nested, ...] | None = None
    if select is not None:
        here = at(place, "select")
        if not isinstance(select, dict) or not select:
            raise wrong(here, f"must be {FORMS['fields'].words}.")
        values.expect(len(select))
        fields = tuple(
            [
                field(alias, here) if what is True else _field(alias, what, f"{here}.{alias}", values, level)
                for alias, what in select.items()
            ]
        )
    elif columns is not None:
        here = at(place, "columns")
        fields = tuple([field(entry, here) for entry in names(columns, here, FORMS["columns"])])
    where = _where(document, Conditions(values, target), place, level)
    return fields, where, *_page(document, values, place, target)


def _field(alias: Any, what: Any, place: str, values: Values, level: int) -> Item | Nested:
    name(alias, place)
    if isinstance(what, str):
        return Item(alias, target(what, place))
    if not isinstance(what, dict):
        raise wrong(place, 'must be true, "column", a path into JSON, or an object for related rows.')
    check_nesting(level + 1, place)
    _check_keys(what, NESTED, place)
    relation = what.get("relation")
    relation = alias if relation is None else name(relation, at(place, "relation"))
    # Which table that is, only the schema knows.
    return Nested(alias, relation, Select("", *_rows("", what, values, place, level + 1)))


def _where(
    document: Document, conditions: Conditions, place: str = "", level: int = 0, key: str = "where"
) -> Condition:
    where = document.get(key)
    return ALWAYS if where is None else conditions.where(where, at(place, key), level)


def _page(
    document: Document, values: Values, place: str, resolve: Callable[[object, str], Target]
) -> tuple[tuple[Any, ...], Slot | None, Slot | None]:
    order_by, limit, offset = document.get("order_by"), document.get("limit"), document.get("offset")
    return (
        () if order_by is None else order(order_by, at(place, "order_by"), resolve),
        None if limit is None else values.slot(limit),
        None if offset is None else values.slot(offset),
    )


def _count(table: str, document: Document, values: Values) -> Count:
    return Count(table, _where(document, Conditions(values, target)))


def _aggregate(table: str, document: Document, values: Values) -> Aggregate:
    measured = measures(document.get("aggregates"), "aggregates")
    groups = group_fields(document.get("group_by"), "group_by")
    aliases = [measure.alias for measure in measured] + [group.alias for group in groups]
    if not aliases:
        raise wrong("aggregates", f"is missing; it must be {FORMS['aggregates'].words}.")
    if len(set(aliases)) < len(aliases):
        (twice, _), *_ = Counter(aliases).most_common(1)
        raise wrong(f"group_by.{twice}", "is a name that the answer already has; give it another alias.")
    known = frozenset(aliases)

    def resolve(text: object, place: str) -> Target:
        found = name(text, place)
        found = found if found in known else found.removeprefix("column:")
        if found not in known:
            raise unknown(place, "alias", found, aliases)
        return field(found, place).target

    where = _where(document, Conditions(values, target))
    having = _where(document, Conditions(values, resolve, relations=False), key="having")
    return Aggregate(table, measured, groups, where, having, *_page(document, values, "", resolve))


def _insert(table: str, document: Document, values: Values) -> Insert:
    data, answer = document["data"], document.get("returning")
    fields = returning(answer, "returning")
    if isinstance(data, dict):
        columns, slots = one_row(data, "data", values)
        return Insert(table, columns, (slots,), returning=fields, one=True)
    columns, rows, lists = several_rows(data, "data", values)
    return Insert(table, columns, rows, lists, returning=fields)


def _upsert(table: str, document: Document, values: Values) -> Insert:
    found = _insert(table, document, values)
    return replace(found, conflict=conflict(document["on_conflict"], "on_conflict", found.columns))


def _update(table: str, document: Document, values: Values) -> Update:
    data = document["data"]
    if not isinstance(data, dict) or not data:
        raise wrong("data", f"must be {FORMS['row'].words}.")
    assignments = tuple((column, values.slot(value)) for column, value in columns_of(data, "data"))
    where, everything = _some_rows(document, values)
    return Update(table, assignments, where, returning(document.get("returning"), "returning"), everything)


def _delete(table: str, document: Document, values: Values) -> Delete:
    where, everything = _some_rows(document, values)
    return Delete(table, where, returning(document.get("returning"), "returning"), everything)


def _some_rows(document: Document, values: Values) -> tuple[Condition, bool]:
    where, everything = _where(document, Conditions(values, target)), _flag(document, "all")
    if not everything and always(where):
        message = '"where" is missing or holds for every row; if that is what you want, write "all": true instead.'
        raise HostError("WHERE_REQUIRED", 400, message, {"place": "where"})
    return where, everything


def _flag(document: Document, key: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong(key, f"must be {FORMS['flag'].words}.")
    return bool(value)


_OPERATIONS: Final[dict[str, Callable[[str, Document, Values], Query]]] = {
    "select": _select,
    "count": _count,
    "aggregate": _aggregate,
    "insert": _insert,
    "upsert": _upsert,
    "update": _update,
    "delete": _delete,
}
