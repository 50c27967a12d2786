"""`read`: what of a query is its shape and what are its values, in one fast walk. Pure.

Theory of operation. A statement is compiled once per shape, and the shape must be known before anything can be looked
up; so every call pays for this walk, which does nothing but take apart. It appends the shape's words, names and marks,
to a list, joined by NUL to the key, and the values to another. It checks just as much as the key needs:

* Equal keys mean equal queries. Each word stands where the words before it say what it is (a count precedes every list
  of names), and no word may hold a NUL. Whatever the parser looks at but the content of a value is in the key: whether
  it is null where that matters, which operator, whether `any` or `all` surrounds it.
* A query that the parser refuses never has the key of one that it accepts. Names go into the key as they are; a query
  with a wrong one has a key of its own, is not found, and is then parsed. What is not in the key (that `between` has
  two values) is checked here.
* Whatever is unusual leaves the fast path: `parse` raises the error that names the place, or its Query is the key.

Values come in one order here and in `parser`: fields, data, where, having, limit, offset, after.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from flux.data.query.format import DEFAULT_OPERATION, MAX_NESTING, MAX_SHAPE, NESTED, OPERATION
from flux.data.query.parser import parse
from flux.failure import HostError

from .conditions import conditions
from .fields import data_rows, flat, measures, names, page, returning
from .unusual import COUNT, Unusual, flag

Walk = Callable[[dict[str, Any], list[str], list[Any]], None]

_CONFLICT_KEYS: Final = frozenset(("columns", "update"))
_NESTED_KEYS: Final = frozenset(NESTED.allowed)


# A shape's key and the values. Plain, as one is made per call: to give its parts names would cost more than to join it.
Read: TypeAlias = tuple[Hashable, list[Any]]


def read(document: Any) -> Read:
    """The key of the query's shape and its values, at the slots that `parse` gives them.

    Raises 400 INVALID_QUERY, QUERY_TOO_DEEP, QUERY_TOO_LARGE; but a wrong query may also get a key, which no query that
    can be parsed has.
    """
    values: list[Any] = []
    try:
        if type(document) is not dict:
            raise Unusual
        operation, table = document.get("operation"), document.get("table")
        if operation is None:
            operation = DEFAULT_OPERATION
        if type(operation) is not str or type(table) is not str or operation not in _WALKS:
            raise Unusual
        keys, walk = _WALKS[operation]
        if not keys.issuperset(document):
            raise Unusual
        parts = [operation, table]
        walk(document, parts, values)
        key = _joined(parts)
    except Unusual:
        return parse(document)
    return key, values


def _joined(parts: list[str]) -> str:
    if len(parts) > MAX_SHAPE:
        raise HostError("QUERY_TOO_LARGE", 400, f"The query has more than {MAX_SHAPE} names and operators.")
    try:
        key = "\0".join(parts)
    except TypeError:  # among the names of a list was something else
        raise Unusual from None
    if key.count("\0") != len(parts) - 1:
        raise Unusual
    return key


def _select(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    _rows(document, parts, values, 0)
    after = document.get("after")
    if after is None:
        parts.append("-")
    elif type(after) is dict:
        parts.append(COUNT[len(after)])
        parts += after
        values += after.values()
    else:
        raise Unusual
    distinct = document.get("distinct")
    if distinct is None or distinct is False:
        parts.append("-")
    elif distinct is True:
        parts.append("*")
    else:
        names(distinct, parts)
    parts.append(flag(document.get("one")))


def _count_query(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    _where(document.get("where"), parts, values, 0)


def _aggregate(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    aggregates, groups = document.get("aggregates"), document.get("group_by")
    if type(aggregates) is not dict and aggregates is not None:
        raise Unusual
    measures(aggregates or {}, parts)
    if type(groups) is not list and groups is not None:
        raise Unusual
    parts.append(COUNT[len(groups or ())])
    for group in groups or ():
        if type(group) is str:
            parts.append("=")
            parts.append(group)
        elif type(group) is dict:
            parts.append("from")
            flat(group, parts)
        else:
            raise Unusual
    _where(document.get("where"), parts, values, 0)
    _where(document.get("having"), parts, values, 0)
    page(document, parts, values)


def _insert(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    data_rows(document.get("data"), parts, values)
    returning(document.get("returning"), parts)


def _upsert(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    data_rows(document.get("data"), parts, values)
    conflict: Any = document.get("on_conflict")
    update: Any = None
    if type(conflict) is dict:
        if not _CONFLICT_KEYS.issuperset(conflict):
            raise Unusual
        conflict, update = conflict.get("columns"), conflict.get("update")
    names(conflict, parts)
    if update is None or update == "nothing":
        parts.append(update or "-")
    else:
        names(update, parts)
    returning(document.get("returning"), parts)


def _update(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    data = document.get("data")
    if type(data) is not dict:
        raise Unusual
    parts.append(COUNT[len(data)])
    parts += data
    values += data.values()
    _delete(document, parts, values)


def _delete(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    where = document.get("where")
    parts.append("-" if where is None else "where")  # beside `all` even an empty one is refused
    _where(where, parts, values, 0)
    parts.append(flag(document.get("all")))
    returning(document.get("returning"), parts)


_WALKS: Final[dict[str, tuple[frozenset[str], Walk]]] = {
    name: (frozenset(OPERATION[name].allowed), walk)
    for name, walk in (
        ("select", _select),
        ("count", _count_query),
        ("aggregate", _aggregate),
        ("insert", _insert),
        ("upsert", _upsert),
        ("update", _update),
        ("delete", _delete),
    )
}


def _rows(document: dict[str, Any], parts: list[str], values: list[Any], level: int) -> None:
    """What a select and related rows have in common."""
    select, columns = document.get("select"), document.get("columns")
    if select is None:
        if columns is None:
            parts.append("*")
        else:
            parts.append("columns")
            names(columns, parts)
    elif columns is None and type(select) is dict:
        parts.append("select")
        parts.append(COUNT[len(select)])
        for alias, field in select.items():
            if field is True:
                parts.append(alias)
                parts.append("=")
            elif type(field) is str:
                parts.append(alias)
                parts.append("from")
                parts.append(field)
            elif type(field) is dict:
                _nested(alias, field, parts, values, level + 1)
            else:
                raise Unusual
    else:
        raise Unusual
    _where(document.get("where"), parts, values, level)
    page(document, parts, values)


def _where(where: Any, parts: list[str], values: list[Any], level: int) -> None:
    if where is None:
        parts.append("0")
    else:
        conditions(where, parts, values, level)


def _nested(alias: str, document: dict[str, Any], parts: list[str], values: list[Any], level: int) -> None:
    relation = document.get("relation")
    if level > MAX_NESTING or not _NESTED_KEYS.issuperset(document):
        raise Unusual
    if relation is None:
        parts.append(alias)
        parts.append("rows")
    elif type(relation) is str:
        parts.append(alias)
        parts.append("related")
        parts.append(relation)
    else:
        raise Unusual
    _rows(document, parts, values, level)
