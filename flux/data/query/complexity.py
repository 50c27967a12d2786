"""What a query costs by its shape alone: depth, conditions, score. Pure; `flux/data/guard.py` says what is too much.

The score adds up what makes work for the database:

    each table read: the query's own, nested ones, those of some/none/every        TABLE
    each field, measure and group                                                  FIELD
    each condition                                                                 CONDITION, or its entry in WEIGHTS
    each entry of order_by                                                         ORDER
    distinct                                                                       DISTINCT
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .model import (
    Aggregate,
    Compare,
    Condition,
    Count,
    Delete,
    Every,
    Insert,
    Is,
    Nested,
    Not,
    Query,
    Related,
    Select,
    Some,
    Update,
)

TABLE: Final = 10
FIELD: Final = 1
CONDITION: Final = 2
# Operators that an ordinary index does not serve, or that look at every character of a text.
WEIGHTS: Final[Mapping[str, int]] = {
    "like": 5,
    "ilike": 8,
    "match": 10,
    "imatch": 10,
    **dict.fromkeys(("fts", "plfts", "phfts", "wfts"), 5),
    **dict.fromkeys(("contains", "contained", "overlaps"), 4),
}
ORDER: Final = 3
DISTINCT: Final = 10


def measured(query: Query) -> tuple[int, int]:
    """How many relations deep it reaches, in fields and in conditions, and how many conditions it has."""
    depth, conditions = 0, 0
    for condition, level in _conditions(query):
        depth = max(depth, level)
        if isinstance(condition, Compare | Is | Related):
            conditions += 1
    return depth, conditions


def fixed_score(query: Query) -> int:
    """The score without rows."""
    total = TABLE
    for condition, _ in _conditions(query):
        if isinstance(condition, Compare):
            total += WEIGHTS.get(condition.operator, CONDITION)
        elif isinstance(condition, Is):
            total += CONDITION
        elif isinstance(condition, Related):
            total += TABLE
    match query:
        case Select():
            total += _select(query)
            for nested, _ in _nested(query):
                total += TABLE + _select(nested.select)
        case Aggregate():
            total += FIELD * (len(query.measures) + len(query.group_by)) + ORDER * len(query.order_by)
        case Update() | Delete() | Insert():
            total += FIELD * len(query.returning or ())
        case Count():
            pass
    return total


def _select(select: Select) -> int:
    return FIELD * len(select.fields or ()) + ORDER * len(select.order_by) + (DISTINCT if select.distinct else 0)


def _conditions(query: Query) -> Iterator[tuple[Condition, int]]:
    """Every node of every condition in the query, with the number of relations between it and the query's table."""
    if isinstance(query, Insert):
        return
    yield from _nodes(query.where, 0)
    if isinstance(query, Aggregate):
        yield from _nodes(query.having, 0)
    elif isinstance(query, Select):
        for nested, level in _nested(query):
            yield from _nodes(nested.select.where, level)


def _nodes(condition: Condition, level: int) -> Iterator[tuple[Condition, int]]:
    yield condition, level
    match condition:
        case Every(terms) | Some(terms):
            for term in terms:
                yield from _nodes(term, level)
        case Not(term):
            yield from _nodes(term, level)
        case Related(_, _, where):
            yield from _nodes(where, level + 1)


def _nested(select: Select, level: int = 1) -> Iterator[tuple[Nested, int]]:
    for field in select.fields or ():
        if isinstance(field, Nested):
            yield field, level
            yield from _nested(field.select, level + 1)
