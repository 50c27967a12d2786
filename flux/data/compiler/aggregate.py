"""Count, sum, avg, min and max, with groups. Pure.

`having` and `order_by` speak of the answer's aliases: an alias stands for its expression, and never gets into the text.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from typing import Final

from flux.data.query.model import (
    Aggregate,
    Compare,
    Condition,
    Every,
    Is,
    Item,
    Measure,
    Not,
    Order,
    Related,
    Some,
    Target,
)
from flux.data.schema.model import Family
from flux.data.types.codec import Codec, codec
from flux.failure import HostError, invalid, nearest

from .conditions import compare, condition, truth
from .fields import Field, json_object, known_name
from .hidden import both, seen
from .json_form import json_form
from .order import Sorted, order_text
from .plan import Plan
from .select import limits, readable_place
from .statement import Place, Statement, source
from .terms import Term, comparable

_BIGINT: Final = codec("int8", sql="bigint")
_NUMERIC: Final = codec("numeric", sql="numeric")
_JSONB: Final = codec("jsonb", sql="jsonb")
_DOUBLE: Final = codec("float8", sql="double precision")

# What sums and averages are, by the type of the values. What is not here has neither.
_SUMS: Final[dict[str, Codec | None]] = {
    "smallint": _BIGINT,
    "integer": _BIGINT,
    "bigint": _NUMERIC,
    "numeric": _NUMERIC,
    "real": None,  # of the same type as the values
    "double precision": None,
    "interval": None,
    "money": None,
}
_AVERAGES: Final[dict[str, Codec | None]] = {
    "smallint": _NUMERIC,
    "integer": _NUMERIC,
    "bigint": _NUMERIC,
    "numeric": _NUMERIC,
    "real": _DOUBLE,
    "double precision": _DOUBLE,
    "interval": None,
}
# Types with equality, by which rows can be grouped, but without an order.
_WITHOUT_ORDER: Final = frozenset(("xid", "cid", "aclitem"))
_EXTREMES: Final[frozenset[Family]] = frozenset(("number", "text", "time", "array", "other"))


def plan_aggregate(statement: Statement, query: Aggregate) -> Plan:
    place = readable_place(statement, statement.schema.table(query.table))
    terms: dict[str, Term] = {}
    for item in query.group_by:
        terms[item.alias] = _group(place, item)
    groups = ", ".join([comparable(term) for term in terms.values()])
    for measure in query.measures:
        terms[measure.alias] = _measure(place, measure)
    fields = [
        Field(alias, known_name(place.table, alias), json_form(term.sql, term.codec)) for alias, term in terms.items()
    ]
    value = json_object(fields, statement.parameters, one=not query.group_by)
    where = condition(place, query.where)
    having = _having(place, query.having, terms)
    order = [_sorted(order, terms) for order in _whole_order(query, terms)]
    where = seen(place, where, statement.gate())
    text = (
        f"SELECT {value} FROM {source(place.table, 't')}{' WHERE ' + where if where else ''}"
        f"{' GROUP BY ' + groups if groups else ''}{' HAVING ' + having if having else ''}{order_text(order)}"
        f"{limits(statement, query.limit, query.offset)}"
    )
    return Plan(
        text=text,
        sources=tuple(statement.parameters.sources),
        shape="rows",
        writes=False,
        tables=statement.tables(),
        policies=tuple(statement.applied),
    )


def _group(place: Place, item: Item) -> Term:
    """json has no equality; its groups are those of jsonb, and so are their values."""
    term = place.term(item.target)
    return term._replace(sql=comparable(term), codec=_JSONB) if term.codec.sql == "json" else term


def _measure(place: Place, measure: Measure) -> Term:
    function, distinct = measure.function, "DISTINCT " if measure.distinct else ""
    if measure.target is None:
        if function != "count" or distinct:
            raise invalid(f'"{measure.alias}": {function}{" distinct" if distinct else ""} needs a column.')
        return Term("count(*)", _BIGINT, "number", "bigint", measure.alias)
    term = place.term(measure.target)
    found, family = _result(measure, term)
    return Term(f"{function}({distinct}{comparable(term)})", found, family, found.sql, measure.alias)


def _result(measure: Measure, term: Term) -> tuple[Codec, Family]:
    """The type of the measure. Raises 400 INVALID_ARGUMENT when there is none of such values."""
    name = term.codec.sql
    if measure.function == "count":
        return _BIGINT, "number"
    if measure.function in ("min", "max"):
        if term.family in _EXTREMES:
            return term.codec, term.family
    else:
        results = _SUMS if measure.function == "sum" else _AVERAGES
        if name in results:
            return results[name] or term.codec, term.family
    raise HostError(
        "INVALID_ARGUMENT",
        400,
        f'"{term.name}" is of type {term.type}, of which there is no {measure.function}.',
        {"column": term.name, "type": term.type, "function": measure.function},
    )


def _whole_order(query: Aggregate, terms: dict[str, Term]) -> list[Order]:
    """What was asked for, and the groups: pages would overlap where measures are alike."""
    wanted = list(query.order_by)
    if wanted or query.offset is not None:
        named = {order.target.column for order in wanted}
        groups = [item.alias for item in query.group_by if item.alias not in named]
        wanted += [Order(Target(alias)) for alias in groups if terms[alias].type not in _WITHOUT_ORDER]
    return wanted


def _sorted(order: Order, terms: dict[str, Term]) -> Sorted:
    term = _alias(terms, order.target)
    return Sorted(order, term, comparable(term))


def _alias(terms: dict[str, Term], target: Target) -> Term:
    found = terms.get(target.column)
    if found is None or target.path:
        raise HostError(
            "UNKNOWN_COLUMN",
            400,
            f'The answer has no field "{target.column}".' + nearest(target.column, terms),
            {"column": target.column},
        )
    return found


def _having(place: Place, wanted: Condition, terms: dict[str, Term]) -> str:
    """As `conditions.condition`, over the fields of the answer. Groups are made of visible rows only."""
    if isinstance(wanted, Compare):
        return compare(place, wanted, _alias(terms, wanted.target))
    if isinstance(wanted, Is):
        return truth(wanted, _alias(terms, wanted.target))
    if isinstance(wanted, Not):
        return f"NOT ({_having(place, wanted.term, terms) or 'true'})"
    if isinstance(wanted, Related):
        raise invalid('"having" speaks of the fields of the answer, which have no relations.')
    texts = [_having(place, term, terms) for term in wanted.terms]
    if isinstance(wanted, Every):
        return both(*texts)
    assert isinstance(wanted, Some)
    return "(" + " OR ".join([f"({text or 'true'})" for text in texts]) + ")" if texts else "false"
