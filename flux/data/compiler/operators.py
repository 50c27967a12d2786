"""Which operators there are, which kinds of values they fit, and what they are in SQL. Pure."""

from __future__ import annotations

from typing import Any, Final

from flux.data.query.model import Comparison
from flux.data.schema.model import Family
from flux.data.types.codec import Codec, Convert
from flux.data.types.from_json import string
from flux.failure import HostError

from .terms import Term

SQL: Final[dict[Comparison, str]] = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
    "match": "~",
    "imatch": "~*",
    "is_distinct": "IS DISTINCT FROM",
    "contains": "@>",
    "contained": "<@",
    "overlaps": "&&",
    "strictly_left": "<<",
    "strictly_right": ">>",
    "not_right_of": "&<",
    "not_left_of": "&>",
    "adjacent": "-|-",
}
SEARCHES: Final[dict[Comparison, str]] = {
    "fts": "to_tsquery",
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}
PATTERNS: Final = frozenset(("like", "ilike", "match", "imatch"))
REGULAR: Final = frozenset(("match", "imatch"))
# Those that are `left operator right` with a value of the left side's own type.
PLAIN: Final = frozenset(SQL) - PATTERNS

_EQUALITY: tuple[Comparison, ...] = ("eq", "neq", "in", "nin", "is_distinct")
_ORDER: tuple[Comparison, ...] = ("gt", "gte", "lt", "lte", "between")
_COMPARED = (*_EQUALITY, *_ORDER)
_RANGES: tuple[Comparison, ...] = (
    *("contains", "contained", "overlaps"),
    *("strictly_left", "strictly_right", "not_right_of", "not_left_of", "adjacent"),
)  # fmt: skip

FITTING: Final[dict[Family, tuple[Comparison, ...]]] = {
    "number": _COMPARED,
    "text": (*_COMPARED, "like", "ilike", "match", "imatch"),
    "boolean": _EQUALITY,
    "time": _COMPARED,
    "uuid": _COMPARED,
    "bytes": _COMPARED,
    "json": (*_COMPARED, "contains", "contained"),
    # Of several arrays there is no array in Postgres, so no `in`.
    "array": ("eq", "neq", "is_distinct", *_ORDER, "contains", "contained", "overlaps"),
    "range": (*_COMPARED, *_RANGES),
    "fts": ("eq", "neq", "is_distinct", "fts", "plfts", "phfts", "wfts"),
    "other": _COMPARED,
}
FITTING_SETS: Final = {family: frozenset(operators) for family, operators in FITTING.items()}


def misfit(term: Term, operator: Comparison) -> HostError:
    """400 INVALID_ARGUMENT naming the column, its type and the operators that fit."""
    if operator in FITTING_SETS[term.family]:
        message = f'"{term.name}" is of type {term.type}, and of arrays there is neither "any" nor "all".'
    else:
        fitting = ", ".join((*FITTING[term.family], "is_null", "is"))
        message = f'"{term.name}" is of type {term.type}, which has no "{operator}"; it has: {fitting}.'
    return HostError("INVALID_ARGUMENT", 400, message, {"column": term.name, "type": term.type, "operator": operator})


def check_truth(term: Term, value: str) -> None:
    """`is true`, `is false` and `is unknown` want a boolean."""
    if value != "null" and term.family != "boolean":
        raise HostError(
            "INVALID_ARGUMENT",
            400,
            f'"{term.name}" is of type {term.type}: "is" takes null there; true, false, "unknown" want a boolean.',
            {"column": term.name, "type": term.type, "operator": "is"},
        )


def pattern(value: Any) -> str:
    """Encodes what LIKE takes. A last backslash would be an error only where a row gets that far."""
    text = string(value)
    if (len(text) - len(text.rstrip("\\"))) % 2:
        raise ValueError("a pattern cannot end in a single backslash")
    return text


def each(encode: Convert) -> Convert:
    """Encodes a list whose entries are values of their own, whatever they are."""

    def encode_each(values: Any) -> list[Any]:
        if not isinstance(values, list):
            raise ValueError("expected an array")
        return [None if value is None else encode(value) for value in values]

    return encode_each


def operand_codec(term: Term, operator: Comparison) -> tuple[Convert, str, str]:
    """How an operand beside `term` is encoded, and the casts of one and of an array of them ("" = none needed)."""
    if operator in PATTERNS:
        return (pattern if operator not in REGULAR else string), "", ""
    found: Codec = term.codec
    if not found.cast:
        return found.encode, "", ""
    if found.array:
        return found.encode, f"::text[]::{found.sql}", ""
    return found.encode, f"::text::{found.sql}", f"::text[]::{found.sql}[]"


def operand_type(term: Term, operator: Comparison) -> str:
    """The type that such an operand travels as, before those casts."""
    found = term.codec
    if operator in PATTERNS or operator in SEARCHES:
        return "text"
    if found.cast:
        return "text[]" if found.array else "text"
    return "jsonb" if found.sql == "json" else found.sql
