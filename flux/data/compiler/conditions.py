"""Conditions as SQL: callers', which may only name what they may read, and policies'. Pure.

A caller's condition and a policy's are joined by AND at the outside, so no caller's condition can widen what the policy
leaves. What may fail for what a row holds, or take for ever, stands behind the policy in a CASE; what may fail for what
the caller sent is evaluated before any row is looked at (`Statement.gates`).
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from collections.abc import Mapping

from flux.data.policy.model import Grant
from flux.data.query.model import (
    Auth,
    Compare,
    Condition,
    Every,
    Is,
    Literal,
    Not,
    Related,
    Slot,
    Some,
    Target,
)
from flux.data.schema.model import Relation, Table
from flux.failure import HostError

from .hidden import behind_policy, both, seen
from .operators import (
    FITTING_SETS,
    PATTERNS,
    PLAIN,
    REGULAR,
    SEARCHES,
    SQL,
    check_truth,
    each,
    misfit,
    operand_codec,
)
from .statement import Place, Statement, joined, source
from .terms import Term, comparable

_WITHOUT_ROWS = {"some": "false", "none": "true", "every": "true"}


def condition(place: Place, wanted: Condition) -> str:
    """An expression that can stand in an AND; "" for ALWAYS."""
    kind = type(wanted)
    if kind is Compare:
        return _compare(place, wanted)  # type: ignore[arg-type]  # its type was just looked at; isinstance is slower
    if kind is Every:
        terms = [text for term in wanted.terms if (text := condition(place, term))]  # type: ignore[union-attr]  # as above
        return " AND ".join(terms)
    if isinstance(wanted, Some):
        return _some(place, wanted)
    if isinstance(wanted, Is):
        return _is(place, wanted)
    if isinstance(wanted, Not):
        return f"NOT ({condition(place, wanted.term) or 'true'})"
    assert isinstance(wanted, Related)
    return _related(place, wanted)


def _some(place: Place, wanted: Some) -> str:
    terms = [condition(place, term) or "true" for term in wanted.terms]
    if len(terms) == 1:
        return terms[0]
    return "(" + " OR ".join([f"({term})" if " AND " in term else term for term in terms]) + ")" if terms else "false"


def granted(statement: Statement, table: Table, alias: str, grant: Grant) -> str:
    """The grant's row condition for the row called `alias`; "" for all rows."""
    where = grant.where
    return "" if type(where) is Every and not where.terms else policy(statement, table, alias, where)


def policy(
    statement: Statement, table: Table, alias: str, wanted: Condition, given: Mapping[str, str] | None = None
) -> str:
    """A condition that a policy's author wrote. `given`: see Place.

    Raises 400 POLICY_INVALID when policies ask each other in a circle.
    """
    if table.name in statement.expanding:
        circle = " -> ".join((*statement.expanding, table.name))
        raise HostError("POLICY_INVALID", 400, f"Policies look at each other in a circle: {circle}.", {})
    statement.expanding.append(table.name)
    text = condition(Place(statement, table, alias, None, trusted=True, given=given), wanted)
    statement.expanding.pop()
    return text


def hiding(place: Place, grant: Grant) -> Place:
    """The place, of which no rows but those of the grant are seen any more."""
    hidden = granted(place.statement, place.table, place.alias, grant)
    place.policy = None if place.hidden else grant.where
    place.hidden = both(place.hidden, hidden) if place.hidden else hidden
    return place


def _compare(place: Place, wanted: Compare) -> str:
    term = place.term(wanted.target)
    return behind_policy(place, compare(place, wanted, term), term, regular=wanted.operator in REGULAR)


def compare(place: Place, wanted: Compare, term: Term) -> str:
    """The comparison of `term`, which stands for the target. Raises 400 INVALID_ARGUMENT when they do not fit."""
    operator, quantifier, operand = wanted.operator, wanted.quantifier, wanted.operand
    if operator not in FITTING_SETS[term.family] or (quantifier and term.family == "array"):
        raise misfit(term, operator)
    if type(operand) is Slot and operator in PLAIN and not quantifier and not term.codec.cast:  # most of them
        right = place.statement.parameters.slot(operand.index, term.codec.encode, term.name)
        return f"{comparable(term)} {SQL[operator]} {right}"
    left = f"{term.sql}::text" if term.codec.cast and operator in PATTERNS else comparable(term)
    encode, cast, _ = operand_codec(term, operator)
    statement = place.statement
    if operator in SEARCHES:
        text = _search(statement, left, term, wanted)
    elif isinstance(operand, Target):
        text = f"{left} {SQL[operator]} {comparable(place.term(operand))}"
    elif operator in ("in", "nin") or quantifier:
        text = _listed(statement, left, term, wanted)
    elif operator == "between":
        assert isinstance(operand, Slot)
        low, high = (statement.parameters.part(operand.index, at, encode, term.name) + cast for at in (0, 1))
        _gate(place, cast and low, cast and high)
        text = f"{left} BETWEEN {low} AND {high}"
    else:
        right = statement.parameters.operand(operand, encode, term, operator) + cast
        if cast:
            _gate(place, right)
        elif operator in REGULAR:
            _gate(place, f"'' ~ {right}::text")
        text = f"{left} {SQL[operator]} {right}"
    return text


def _gate(place: Place, *expressions: str) -> None:
    if not place.trusted:
        place.statement.gates += [text for text in expressions if text]


def _listed(statement: Statement, left: str, term: Term, wanted: Compare) -> str:
    """Operators whose operand is an array of values."""
    operator, operand = wanted.operator, wanted.operand
    assert isinstance(operand, Slot | Literal | Auth)
    encode, _, casts = operand_codec(term, operator)
    right = statement.parameters.operand(operand, each(encode), term, operator, listed=True) + casts
    if isinstance(operand, Slot):
        if casts:
            statement.gates.append(right)
        elif operator in REGULAR:
            statement.gates.append(f"(SELECT count('' ~ p) FROM unnest({right}::text[]) AS p)")
    if operator == "in":
        return f"({left} = ANY ({right}) OR {left} IS NULL)" if wanted.nulls else f"{left} = ANY ({right})"
    if operator == "nin":
        return f"{left} <> ALL ({right}) AND {left} IS NOT NULL" if wanted.nulls else f"{left} <> ALL ({right})"
    return f"{left} {SQL[operator]} {'ANY' if wanted.quantifier == 'any' else 'ALL'} ({right})"


def _search(statement: Statement, left: str, term: Term, wanted: Compare) -> str:
    operand = wanted.operand
    assert isinstance(operand, Slot | Literal | Auth)
    words = statement.parameters.operand(operand, _words, term, wanted.operator)
    config = f"{statement.parameters.constant(wanted.config)}::text::regconfig, " if wanted.config else ""
    query = f"{SEARCHES[wanted.operator]}({config}{words}::text)"
    if isinstance(operand, Slot):
        statement.gates.append(query)
    return f"{left} @@ {query}"


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected words to search for, a string")
    return value


def _is(place: Place, wanted: Is) -> str:
    term = place.term(wanted.target)
    text = truth(wanted, term)
    # Whether a column is NULL is known without looking at it.
    return behind_policy(place, text, term) if term.risky or wanted.target.path else text


def truth(wanted: Is, term: Term) -> str:
    check_truth(term, wanted.value)
    return f"{term.sql} IS {'NOT ' if wanted.negated else ''}{wanted.value.upper()}"


def _related(place: Place, wanted: Related) -> str:
    relation = place.table.relation(wanted.relation)
    target = related_place(place, relation)
    if target is None:
        return _WITHOUT_ROWS[wanted.quantifier]
    inner = condition(target, wanted.where)
    if wanted.quantifier == "every":
        inner = f"({inner}) IS NOT TRUE" if inner else "false"
    where = both(joined(relation, place.alias, target.alias, place.given), seen(target, inner))
    negation = "" if wanted.quantifier == "some" else "NOT "
    return f"{negation}EXISTS (SELECT 1 FROM {source(target.table, target.alias)} WHERE {where})"


def related_place(place: Place, relation: Relation) -> Place | None:
    """The other end of a relation as the role may see it. None: a policy asks for rows that the role may not read.

    The columns that the relation is made of must be readable at both ends, as they can be told from what is related.
    Raises 403 FORBIDDEN_TABLE, FORBIDDEN_COLUMN.
    """
    statement = place.statement
    table = statement.schema.table(relation.target)
    alias = statement.alias()
    if place.trusted:
        grant = statement.policies.grant(table.name, statement.role, "select")
        if grant is None:
            return None
        statement.apply(table, "select", grant)
        return hiding(Place(statement, table, alias, None, trusted=True), grant)
    place.check_readable(relation.columns)
    grant = statement.grant(table, "select")
    statement.apply(table, "select", grant)
    target = hiding(Place(statement, table, alias, grant.readable), grant)
    target.check_readable(relation.target_columns)
    return target
