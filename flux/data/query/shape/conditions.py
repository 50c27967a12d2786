"""Conditions, taken apart. See `walk`."""

from __future__ import annotations

from typing import Any, Final

from flux.data.query.format import CONNECTIVES, MAX_NESTING, OPERATOR, QUANTIFIERS, RELATED

from .unusual import COUNT, Unusual

_OPERANDS: Final = {name: operator.operand for name, operator in OPERATOR.items()}
_NULLABLE: Final = frozenset(name for name, operator in OPERATOR.items() if operator.nullable)
_QUANTIFIED: Final = frozenset(name for name, operator in OPERATOR.items() if operator.quantified)
_WORDS_KEYS: Final = frozenset(("query", "config"))


def conditions(where: Any, parts: list[str], values: list[Any], level: int) -> None:
    """An object of conditions, `level` objects deep in the query."""
    if type(where) is not dict or level > MAX_NESTING:
        raise Unusual
    parts.append(COUNT[len(where)])
    for name, what in where.items():
        kind = type(what)
        if kind is dict:
            if name == "not":
                parts.append(name)
                conditions(what, parts, values, level + 1)
            else:
                parts.append(name)
                parts.append("{")
                _operators(what, parts, values, level)
        elif kind is list:
            if name not in CONNECTIVES:
                raise Unusual
            parts.append(name)
            parts.append(COUNT[len(what)])
            for term in what:
                conditions(term, parts, values, level + 1)
        elif what is None:
            parts.append(name)
            parts.append("null")
        else:
            parts.append(name)
            parts.append("=")
            values.append(what)


def _operators(operators: dict[str, Any], parts: list[str], values: list[Any], level: int) -> None:
    parts.append(COUNT[len(operators)])
    for name, operand in operators.items():
        kind = _OPERANDS.get(name)
        if kind == "value":
            if operand is None:
                if name not in _NULLABLE:
                    raise Unusual
                parts.append(name)
                parts.append("null")
            elif type(operand) is dict and name in _QUANTIFIED and _quantified(name, operand, parts, values):
                pass
            else:
                parts.append(name)
                parts.append("=")
                values.append(operand)
        elif kind == "text" and type(operand) is str:
            parts.append(name)
            parts.append("=")
            values.append(operand)
        else:
            _special(name, kind, operand, parts, values, level)


def _quantified(name: str, operand: dict[str, Any], parts: list[str], values: list[Any]) -> bool:
    """Whether it is {"any": [...]} or {"all": [...]}, and then takes it apart."""
    if len(operand) != 1:
        return False
    ((quantifier, entries),) = operand.items()
    if quantifier not in QUANTIFIERS:
        return False
    if type(entries) is not list or None in entries:
        raise Unusual
    if _OPERANDS[name] == "text" and not all(type(entry) is str for entry in entries):
        raise Unusual
    parts.append(name)
    parts.append(quantifier)
    values.append(entries)
    return True


def _special(name: str, kind: str | None, operand: Any, parts: list[str], values: list[Any], level: int) -> None:
    """Operators with an operand of their own form, and what stands among operators without being one."""
    parts.append(name)
    if kind == "list" and type(operand) is list:
        nulls = None in operand
        parts.append("nulls" if nulls else "=")
        values.append([entry for entry in operand if entry is not None] if nulls else operand)
    elif kind == "pair" and type(operand) is list and len(operand) == 2 and None not in operand:
        values.append(operand)
    elif kind == "text" and type(operand) is dict:
        parts.pop()
        if not _quantified(name, operand, parts, values):
            raise Unusual
    elif kind == "flag" and (operand is True or operand is False):
        parts.append("true" if operand else "false")
    elif kind == "truth" and (operand is None or operand is True or operand is False or operand == "unknown"):
        parts.append(str(operand))
    elif kind == "words":
        _words(operand, parts, values)
    elif kind is None and name == "not" and type(operand) is dict and level < MAX_NESTING:
        _operators(operand, parts, values, level + 1)
    elif kind is None and name in RELATED and type(operand) is dict:
        conditions(operand, parts, values, level + 1)
    else:
        raise Unusual


def _words(operand: Any, parts: list[str], values: list[Any]) -> None:
    if type(operand) is dict:
        query, config = operand.get("query"), operand.get("config")
        if (config is not None and type(config) is not str) or not _WORDS_KEYS.issuperset(operand):
            raise Unusual
    else:
        query, config = operand, None
    if type(query) is not str:
        raise Unusual
    parts += ("=",) if config is None else ("config", config)
    values.append(query)
