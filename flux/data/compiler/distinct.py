"""DISTINCT and DISTINCT ON. Pure."""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flux.data.query.model import Nested, Order, Select, Target
from flux.failure import HostError, invalid

from .fields import Field, json_object, known_name, readable_items
from .json_form import json_form
from .order import Sorted, sorted_by
from .statement import Place
from .terms import Term, comparable

if TYPE_CHECKING:
    from collections.abc import Callable

# Types that Postgres cannot tell apart from each other.
_WITHOUT_EQUALITY = frozenset(("json", "xml", "point", "polygon", "line", "path"))


def distinct_on(place: Place, columns: Sequence[str], order: Sequence[Sorted]) -> tuple[list[Sorted], str]:
    """The order with these columns in front, as Postgres wants it, and the words behind SELECT."""
    terms = [_distinguishable(place.term(Target(name))) for name in columns]
    leading = [entry.order.target for entry in order[: len(columns)]]
    if {Target(name) for name in columns} != set(leading):
        order = [*(sorted_by(place, Order(Target(name))) for name in columns), *order]
    return list(order), f"DISTINCT ON ({', '.join([comparable(term) for term in terms])}) "


def distinct_rows(place: Place, query: Select, rows: Callable[[Place, Select, Sequence[Sorted]], str]) -> str:
    """A statement whose rows differ in the fields asked for: they are told apart as values, then written as text."""
    items = readable_items(place) if query.fields is None else query.fields
    found: dict[Target, tuple[str, Term]] = {}
    fields: list[Field] = []
    for item in items:
        if isinstance(item, Nested):
            raise invalid('"distinct": true compares whole rows, which cannot hold related rows.')
        term = _distinguishable(place.term(item.target))
        if item.target not in found:
            found[item.target] = f"c{len(found) + 1}", term
        value = json_form(f"t.{found[item.target][0]}", term.codec)
        fields.append(Field(item.alias, known_name(place.table, item.alias), value))
    order = []
    for entry in query.order_by:
        if entry.target not in found:
            raise HostError(
                "INVALID_ARGUMENT",
                400,
                f'"distinct": true cannot be ordered by "{entry.target.column}", which the answer does not hold.',
                {"column": entry.target.column},
            )
        term = found[entry.target][1]
        order.append(Sorted(entry, term, comparable(term)))
    inner = ", ".join([f"{term.sql} AS {name}" for name, term in found.values()])
    value = json_object(fields, place.statement.parameters)
    return f"SELECT {value} FROM (SELECT DISTINCT {inner} FROM {rows(place, query, order)}) AS t"


def _distinguishable(term: Term) -> Term:
    if term.codec.sql.removesuffix("[]") in _WITHOUT_EQUALITY:
        raise HostError(
            "INVALID_ARGUMENT",
            400,
            f'"{term.name}" is of type {term.type}, whose values cannot be told apart by "distinct".',
            {"column": term.name, "type": term.type},
        )
    return term
