"""How rows that policies hide are kept from callers' conditions, which could tell of them: by failing, by taking long.

Postgres evaluates the cheapest condition first, and of equal ones the first; but an equality, which indexes serve,
comes last. Pure.
"""

from __future__ import annotations

from flux.data.query.model import Compare, Target

from .operators import PLAIN
from .statement import Place
from .terms import Term


def _is_cheap(place: Place) -> bool:
    """Whether no condition of a caller's costs less than the policy by the books of Postgres, where an operator counts
    1 however long it takes.
    """
    where = place.policy
    if type(where) is not Compare or where.operator not in PLAIN or isinstance(where.operand, Target):
        return False
    column = place.table.columns.get(where.target.column)
    return column is not None and not where.target.path and not column.codec.cast and column.codec.sql != "json"


def behind_policy(place: Place, text: str, *terms: Term, regular: bool = False) -> str:
    """The condition, kept from hidden rows where it could tell of them: by failing, by taking long.

    A regular expression with references back can run into the time limit.
    """
    if not place.hidden:
        return text
    heavy, risky = False, regular
    for term in terms:
        heavy = heavy or term.heavy
        risky = risky or term.risky or term.codec.sql == "json"
    if risky or (heavy and not _is_cheap(place)):
        return f"CASE WHEN {place.hidden} THEN {text} ELSE false END"
    if heavy:
        place.first = True
    return text


def seen(place: Place, *conditions: str) -> str:
    """What rows must fulfil to be seen, and these conditions, which were written before.

    Where the policy has to come first it stands there twice, once as no equality. That spoils the planner's figures
    less than to hide the conditions behind it one by one, and they keep their indexes.
    """
    return both(f"CASE WHEN {place.hidden} THEN true END" if place.first else "", place.hidden, *conditions)


def both(*conditions: str) -> str:
    """All of them that are not ""; each holds no OR outside of parentheses."""
    return " AND ".join([text for text in conditions if text])
