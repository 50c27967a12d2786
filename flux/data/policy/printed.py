"""A condition of a policy as text again: `parse_rule(print_rule(c)) == c` for whatever was parsed. Pure."""

from __future__ import annotations

import re

from flux.data.query.model import (
    ALWAYS,
    NEVER,
    Auth,
    Compare,
    Condition,
    Every,
    Is,
    Literal,
    Not,
    Operand,
    Related,
    Slot,
    Some,
    Target,
)

from .tokens import KEYWORDS

_SYMBOLS = {
    **{"eq": "=", "neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "is_distinct": "is distinct from"},
    **{"like": "like", "ilike": "ilike"},
    **{"contains": "@>", "contained": "<@", "overlaps": "&&", "in": "in", "nin": "not in"},
}
_QUANTIFIERS = {"some": "exists", "none": "none", "every": "every"}


def print_rule(condition: Condition) -> str:
    """Raises TypeError for a condition that has values of a caller in it."""
    match condition:
        case Every() | Some():
            return _joined(condition)
        case Not(term):
            return f"not {_inner(term)}"
        case Is(target, value, negated):
            return f"{_target(target)} is {'not ' if negated else ''}{value}"
        case Related(relation, quantifier, where):
            rest = "" if where == ALWAYS else f" where {print_rule(where)}"
            return f"{_QUANTIFIERS[quantifier]}({_name(relation)}{rest})"
        case Compare():
            return _comparison(condition)


def _joined(condition: Every | Some) -> str:
    if condition == ALWAYS:
        return "true"
    if condition == NEVER:
        return "false"
    if short := _list(condition) or _between(condition):
        return short
    word = " and " if isinstance(condition, Every) else " or "
    return word.join(map(_inner, condition.terms))


def _list(condition: Every | Some) -> str:
    """`x in (1, 2)` for `x = 1 or x = 2`; "" when it is none."""
    operator = "neq" if isinstance(condition, Every) else "eq"
    targets, values = set(), []
    for term in condition.terms:
        if not isinstance(term, Compare) or term.operator != operator:
            return ""
        targets.add(term.target)
        values.append(_operand(term.operand))
    if len(targets) != 1 or len(values) < 2:
        return ""
    return f"{_target(targets.pop())} {'not ' if operator == 'neq' else ''}in ({', '.join(values)})"


def _between(condition: Every | Some) -> str:
    match condition:
        case Every((Compare(first, "gte", low), Compare(second, "lte", high))) if first == second:
            return f"{_target(first)} between {_operand(low)} and {_operand(high)}"
    return ""


def _inner(condition: Condition) -> str:
    text = print_rule(condition)
    if not isinstance(condition, Every | Some) or not condition.terms or _list(condition) or _between(condition):
        return text
    return f"({text})"


def _comparison(condition: Compare) -> str:
    target, operand = condition.target, condition.operand
    # Python's 1 == True, and 1 is no boolean.
    if condition.operator == "eq" and isinstance(operand, Literal) and operand.value is True and not target.path:
        return _target(target)
    return f"{_target(target)} {_SYMBOLS[condition.operator]} {_operand(operand)}"


def _operand(operand: Operand) -> str:
    match operand:
        case Target():
            return _target(operand)
        case Auth(path):
            return "$auth." + ".".join(_name(part, keywords=False) if part else part for part in path)
        case Literal(value):
            return f"array[{', '.join(map(_constant, value))}]" if isinstance(value, tuple) else _constant(value)
        case Slot():
            raise TypeError("a condition with a caller's values is no policy's")


def _constant(value: str | int | float | bool | None) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _target(target: Target) -> str:
    text = _name(target.column)
    for index, part in enumerate(target.path):
        last = index == len(target.path) - 1
        text += ("->>" if last and target.as_text else "->") + _constant(part)
    return text


def _name(name: str, *, keywords: bool = True) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and not (keywords and name.lower() in KEYWORDS)
    return name if plain else '"' + name.replace('"', '""') + '"'
