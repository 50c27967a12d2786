"""Texts of a URL as values of the columns that they are about. Pure; raises HostError.

A filter is `<value>` for equality, or `<operator>.<value>`, each with `not.` before it if wanted: `pro`, `gte.18`,
`in.free,pro`, `not.is_null.true`, `like.any.A%,B%`. An array is a list with commas, or JSON: `in.["a,b","c"]`. A value
that begins like an operator is written with one: `eq.in.progress`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from flux.data.query.format import NEGATION, OPERATORS, QUANTIFIERS
from flux.data.query.model import Target
from flux.data.query.targets import target
from flux.data.schema.model import Column, Computed, Schema, Table, unknown_column
from flux.failure import HostError, invalid

_OPERATORS: Final = {operator.name: operator for operator in OPERATORS}
_FLAGS: Final = {"true": True, "false": False}
_TRUTHS: Final = {"null": None, "true": True, "false": False, "unknown": "unknown"}
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?")
# Types whose codec takes no text; integers and decimals do.
_FLOATS: Final = frozenset(("real", "double precision"))


def resolve(query: Mapping[str, Any], key: str | None, filters: Sequence[Sequence[str]], schema: Schema) -> Any:
    """The query with what `key` and `filters` ask for. Raises 400 UNKNOWN_COLUMN, INVALID_ARGUMENT."""
    if key is None and not filters:
        return query
    table = schema.table(str(query.get("table")))
    terms = [_term(table, name, text) for name, text in filters]
    if key is not None:
        terms.append({name: {"eq": value} for name, value in key_of(table, key).items()})
    if query.get("where") is not None:
        terms.append(query["where"])
    return {**query, "where": terms[0] if len(terms) == 1 else {"and": terms}}


def key_of(table: Table, text: str) -> dict[str, Any]:
    """`42`, or `a=1,b=2` for a key of several columns, by column. Raises 400 INVALID_ARGUMENT."""
    if not table.key:
        raise invalid(f'Table "{table.name}" has no primary key, by which a row could be named.')
    if len(table.key) == 1:
        return {table.key[0]: _plain(table.columns[table.key[0]], text)}
    parts = [part.partition("=") for part in text.split(",")]
    given = {name: value for name, mark, value in parts if mark}
    if len(given) != len(parts) or set(given) != set(table.key):
        example = ",".join(f"{name}=..." for name in table.key)
        raise invalid(f'A row of "{table.name}" is named by {example}.')
    return {name: _plain(table.columns[name], given[name]) for name in table.key}


def _term(table: Table, name: str, text: str) -> dict[str, Any]:
    found = target(name, name)
    operator, _, rest = text.partition(".")
    negated = operator == NEGATION and rest.partition(".")[0] in _OPERATORS
    if negated:
        operator, _, rest = rest.partition(".")
    if operator not in _OPERATORS or "." not in text:
        operator, rest = "eq", text
    read = _reader(table, found)
    condition = {operator: _operand(operator, rest, read, name, table.columns.get(found.column), found)}
    return {_spelled(name, found): {NEGATION: condition} if negated else condition}


def _spelled(name: str, found: Target) -> str:
    """A filter is always about a column, also about one that is called like a relation, or `and`."""
    return name if found.path or name.startswith("column:") else f"column:{name}"


def _operand(
    operator: str, text: str, read: Callable[[str], Any], name: str, column: Column | None, found: Target
) -> Any:
    declared = _OPERATORS[operator]
    if declared.operand in ("flag", "truth"):
        return _one_of(_FLAGS if declared.operand == "flag" else _TRUTHS, text, name)
    if declared.operand in ("list", "pair"):
        return _list(text, read, name)
    quantifier, dot, rest = text.partition(".")
    if declared.quantified and dot and quantifier in QUANTIFIERS:
        return {quantifier: _list(rest, read, name)}
    if declared.operand in ("text", "words"):
        return text
    if column is not None and not found.path and column.codec.array:
        element = partial(_by_type, column.type.removesuffix("[]"))
        return _list(text.removeprefix("{").removesuffix("}"), element, name)
    return read(text)


def _list(text: str, read: Callable[[str], Any], name: str) -> list[Any]:
    if text.startswith("["):
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise invalid(f'The parameter "{name}" is no JSON array: {error}.') from None
        return list(values)
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return [read(part) for part in text.split(",")] if text else []


def _reader(table: Table, found: Target) -> Callable[[str], Any]:
    """What makes a value of a text. Raises 400 UNKNOWN_COLUMN."""
    column: Column | Computed | None = table.columns.get(found.column) or table.computed.get(found.column)
    if column is None:
        raise unknown_column(table, found.column)
    if found.path:
        return str if found.as_text else _json
    return lambda text: _plain(column, text)


def _plain(column: Column | Computed, text: str) -> Any:
    return _by_type(column.type, text)


def _by_type(name: str, text: str) -> Any:
    """Text is left to the column's codec, which reads what JSON has no type for, and refuses what does not fit."""
    if name == "boolean":
        return _FLAGS.get(text, text)
    if name in _FLOATS and _NUMBER.fullmatch(text):
        return float(text)
    return _json(text) if name in ("json", "jsonb") else text


def _json(text: str) -> Any:
    """A JSON value; what is none is the text itself, as in `settings->theme=dark`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _one_of(values: Mapping[str, Any], text: str, name: str) -> Any:
    if text not in values:
        raise HostError("INVALID_ARGUMENT", 400, f'The parameter "{name}" must be one of {", ".join(values)} there.')
    return values[text]
