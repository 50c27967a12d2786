"""What may stand at each key of the format, in three languages: words for people, JSON Schema, TypeScript.

`$defs` of the schema are named like the forms. Schema and parser agree on everything that can be said without knowing
another part of the query; a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .format import (
    DIRECTIONS,
    MAX_NAME,
    MEASURES,
    NEGATION,
    NULLS,
    OPERATION,
    OPERATORS,
    QUANTIFIERS,
    RELATED,
    TRUTHS,
    WHOLE_ROW,
    Operator,
)
from .targets import PATTERN

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`words` completes "must be ...". `typescript` is a type, over the generic parameters R (row) and L (links)."""

    words: str
    schema: Json
    typescript: str


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _object(values: Json, *, least: int = 0, names: str = "name") -> Json:
    """An object with any names as keys."""
    found: Json = {"type": "object", "propertyNames": _ref(names), "additionalProperties": values}
    if least:
        found["minProperties"] = least
    return found


def _closed(properties: Mapping[str, Json], required: Sequence[str] = (), *, least: int = 0) -> Json:
    """An object with these keys and no others."""
    found: Json = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required:
        found["required"] = list(required)
    if least:
        found["minProperties"] = least
    return found


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _array(entries: Json, **more: Any) -> Json:
    return {"type": "array", "items": entries, **more}


_TEXT: Final[Json] = {"type": "string"}
_NOT_NULL: Final[Json] = {"not": {"type": "null"}}
_NAMES: Final[Json] = _array(_ref("name"), minItems=1, uniqueItems=True)
_TRUE: Final[Json] = {"const": True}

OPERANDS: Final = {
    "value": Form(words="a value, not null", schema=_NOT_NULL, typescript="T"),
    "text": Form(words="a string", schema=_TEXT, typescript="string"),
    "list": Form(words="an array", schema={"type": "array"}, typescript="readonly (T | null)[]"),
    "pair": Form(
        words="an array of two values",
        schema=_array(_NOT_NULL, minItems=2, maxItems=2),
        typescript="readonly [T, T]",
    ),
    "flag": Form(words="true or false", schema={"type": "boolean"}, typescript="boolean"),
    "truth": Form(
        words='null, true, false or "unknown"',
        schema={"enum": [None, True, False, TRUTHS[-1]]},
        typescript=f'null | boolean | "{TRUTHS[-1]}"',
    ),
    "words": Form(
        words='a string, or {"query": "...", "config": "english"}',
        schema={"anyOf": [_TEXT, _closed({"query": _TEXT, "config": _or_null(_ref("name"))}, ("query",))]},
        typescript="string | { readonly query: string; readonly config?: string }",
    ),
}


def _operand_schema(operator: Operator) -> Json:
    form = OPERANDS[operator.operand]
    if operator.nullable:
        plain: Json = {}
    elif operator.quantified and operator.operand == "value":
        plain = _NOT_NULL
    else:
        plain = form.schema
    if not operator.quantified:
        return plain
    quantified = {name: _array(form.schema) for name in QUANTIFIERS}
    if operator.operand == "text":
        return {"anyOf": [plain, *(_closed({name: array}, (name,)) for name, array in quantified.items())]}
    # Any object is a value, but one that looks like a quantifier is one.
    looks = [{"type": "object", "required": [name], "maxProperties": 1} for name in QUANTIFIERS]
    checks = [
        {"if": look, "then": {"properties": {name: quantified[name]}}}
        for name, look in zip(QUANTIFIERS, looks, strict=True)
    ]
    return {"allOf": [plain, *checks]} if plain else {"allOf": checks}


def _operand_typescript(operator: Operator) -> str:
    form = OPERANDS[operator.operand].typescript
    return form + (" | null" if operator.nullable else "") + (f" | Quantified<{form}>" if operator.quantified else "")


def _operators() -> Form:
    properties = {operator.name: _operand_schema(operator) for operator in OPERATORS}
    members = "".join(
        f"\n  /** {operator.meaning} (`{operator.sql}`) */"
        f"\n  readonly {operator.name}?: {_operand_typescript(operator)};"
        for operator in OPERATORS
    )
    return Form(
        words="an object of operators",
        schema=_closed({**properties, NEGATION: _ref("operators")}, least=1),
        typescript=f"{{{members}\n  /** none of this holds */\n  readonly {NEGATION}?: Operators<T>;\n}}",
    )


_WAY: Final = {
    "anyOf": [
        {"enum": list(DIRECTIONS)},
        _closed({"direction": {"enum": [*DIRECTIONS, None]}, "nulls": {"enum": [*NULLS, None]}}, least=1),
    ]
}
_SCALAR: Final[Json] = {"type": ["string", "number", "boolean", "null"]}
_ON_COLUMN: Final[Json] = {"anyOf": [_SCALAR, _ref("operators")]}
_ON_ANYTHING: Final[Json] = {"anyOf": [_SCALAR, _ref("operators"), _ref("related")]}
_MEASURE: Final[Json] = {
    "anyOf": [
        {"const": MEASURES[0]},
        *(_closed({name: _ref("target"), "distinct": _ref("flag")}, (name,)) for name in MEASURES),
    ]
}


def _order(names: str) -> Json:
    entry = {"anyOf": [_ref(names), _object(_WAY, names=names)]}
    return {"anyOf": [entry, _array(entry)]}


def _connected(name: str, names: str, other: Json) -> Json:
    """An object of conditions with `and`, `or`, `not`; `other` holds what is allowed at other names."""
    terms = _array(_ref(name))
    connected = {"and": terms, "or": terms, NEGATION: _ref(name)}
    return {"type": "object", "propertyNames": _ref(names), "properties": connected, **other}


def _union(names: tuple[str, ...]) -> str:
    return " | ".join(f'"{name}"' for name in names)


_COLUMN_LIST: Final = "readonly Column<R>[]"
_ALIASED: Final = "{ readonly [alias: string]: true | Target<R> }"

FORMS: Final = {
    "name": Form(
        words="a name",
        schema={"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"^[^\u0000]*$"},
        typescript="string",
    ),
    "target": Form(
        words='a column, or a path into JSON as "settings->theme->>name"',
        schema={"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": PATTERN},
        typescript="Target<R>",
    ),
    "table": Form(words="a table's name", schema=_ref("name"), typescript="string"),
    "operation": Form(
        words=f"one of {', '.join(OPERATION)}", schema={"enum": list(OPERATION)}, typescript=_union(tuple(OPERATION))
    ),
    "relation": Form(words="a relation's name", schema=_ref("name"), typescript="keyof L & string"),
    "columns": Form(words="an array of column names, each once", schema=_NAMES, typescript=_COLUMN_LIST),
    "fields": Form(
        words='an object {alias: true | "column" | "settings->>theme" | {...related rows}} with at least one field',
        schema=_object({"anyOf": [_TRUE, _ref("target"), _ref("nested")]}, least=1),
        typescript="Fields<R, L>",
    ),
    "aliased": Form(
        words='an object {alias: true | "column" | "settings->>theme"} with at least one field',
        schema=_object({"anyOf": [_TRUE, _ref("target")]}, least=1),
        typescript=_ALIASED,
    ),
    "where": Form(
        words="an object: {column: value} or {column: {operator: value}}",
        schema=_connected(
            "where",
            "target",
            {"patternProperties": {"^column:|->": _ON_COLUMN}, "additionalProperties": _ON_ANYTHING},
        ),
        typescript="Where<R, L>",
    ),
    "related": Form(
        words=f"an object with conditions at {', '.join(RELATED)}",
        schema=_closed({name: _ref("where") for name in RELATED}, least=1),
        typescript="Related<L[Name]>",
    ),
    "operators": _operators(),
    "order_by": Form(
        words='"column", {"column": "asc" | "desc" | {"direction", "nulls"}}, or an array of these',
        schema=_order("target"),
        typescript="Order<Target<R>> | readonly Order<Target<R>>[]",
    ),
    "limit": Form(words="an integer, 0 or more", schema={"type": "integer", "minimum": 0}, typescript="number"),
    "offset": Form(words="an integer, 0 or more", schema={"type": "integer", "minimum": 0}, typescript="number"),
    "after": Form(
        words="an object {column: value} of the last row seen",
        schema=_object({}, least=1, names="target"),
        typescript="{ readonly [Name in Target<R>]?: unknown }",
    ),
    "distinct": Form(
        words="true, or an array of column names, each once",
        schema={"anyOf": [_ref("flag"), {"allOf": [_NAMES, {"items": {"not": {"const": WHOLE_ROW}}}]}]},
        typescript=f"boolean | {_COLUMN_LIST}",
    ),
    "flag": Form(words="true or false", schema={"type": ["boolean", "null"]}, typescript="boolean"),
    "row": Form(
        words="an object {column: value} with at least one column",
        schema=_object({}, least=1),
        typescript="Partial<R>",
    ),
    "rows": Form(
        words="an object {column: value}, or an array of these",
        schema={"anyOf": [_object({}), _array(_object({}))]},
        typescript="Partial<R> | readonly Partial<R>[]",
    ),
    "returning": Form(
        words='an array of column names, or an object {alias: true | "column" | "settings->>theme"}',
        schema={"anyOf": [_NAMES, _ref("aliased")]},
        typescript=f"{_COLUMN_LIST} | {_ALIASED}",
    ),
    "on_conflict": Form(
        words='an array of column names, or {"columns": [...], "update": [...] | "nothing"}',
        schema={
            "anyOf": [
                _NAMES,
                _closed({"columns": _NAMES, "update": {"anyOf": [_NAMES, {"enum": ["nothing", None]}]}}, ("columns",)),
            ]
        },
        typescript=(
            f'{_COLUMN_LIST} | {{ readonly columns: {_COLUMN_LIST}; readonly update?: {_COLUMN_LIST} | "nothing" }}'
        ),
    ),
    "aggregates": Form(
        words='an object {alias: "count" | {"sum": "column", "distinct"?: true}}',
        schema=_object(_MEASURE),
        typescript="{ readonly [alias: string]: Measure<R> }",
    ),
    "group_by": Form(
        words='an array of columns and of {alias: "column" | "settings->>theme"}',
        schema=_array({"anyOf": [_ref("name"), _ref("aliased")]}),
        typescript=f"readonly (Column<R> | {_ALIASED})[]",
    ),
    "having": Form(
        words="an object: {alias: value} or {alias: {operator: value}}",
        schema=_connected("having", "name", {"additionalProperties": _ON_COLUMN}),
        typescript="Having",
    ),
    "order_by_alias": Form(
        words='"alias", {"alias": "asc" | "desc" | {"direction", "nulls"}}, or an array of these',
        schema=_order("name"),
        typescript="Order<string> | readonly Order<string>[]",
    ),
}
