"""Whether a value fits a JSON Schema: by `jsonschema` where it is installed, else by the keywords that ours uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

_TYPES: dict[str, Check] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, int),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, int | float),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def checker(schema: dict[str, Any]) -> Check:
    try:
        from jsonschema import Draft202012Validator  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return lambda value: _fits(value, schema, schema)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    return lambda value: bool(validator.is_valid(value))


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    return all(_KEYWORDS[keyword](value, wanted, schema, root) for keyword, wanted in schema.items())


def _reference(value: Any, wanted: Any, _schema: Any, root: Any) -> bool:
    return _fits(value, root["$defs"][wanted.removeprefix("#/$defs/")], root)


def _type(value: Any, wanted: Any, _schema: Any, _root: Any) -> bool:
    return any(_TYPES[name](value) for name in ([wanted] if isinstance(wanted, str) else wanted))


def _additional(value: Any, wanted: Any, schema: Any, root: Any) -> bool:
    if not isinstance(value, dict):
        return True
    patterns = schema.get("patternProperties", {})
    rest = [
        inner
        for name, inner in value.items()
        if name not in schema.get("properties", {}) and not any(re.search(pattern, name) for pattern in patterns)
    ]
    return not rest if wanted is False else all(_fits(inner, wanted, root) for inner in rest)


def _properties(value: Any, wanted: Any, _schema: Any, root: Any) -> bool:
    return not isinstance(value, dict) or all(
        _fits(value[name], inner, root) for name, inner in wanted.items() if name in value
    )


def _patterns(value: Any, wanted: Any, _schema: Any, root: Any) -> bool:
    return not isinstance(value, dict) or all(
        _fits(inner, schema, root)
        for pattern, schema in wanted.items()
        for name, inner in value.items()
        if re.search(pattern, name)
    )


def _condition(value: Any, wanted: Any, schema: Any, root: Any) -> bool:
    return not _fits(value, wanted, root) or _fits(value, schema["then"], root)


def _unique(value: Any, _wanted: Any, _schema: Any, _root: Any) -> bool:
    return not isinstance(value, list) or not any(
        _same(one, other) for index, one in enumerate(value) for other in value[:index]
    )


def _sized(kind: type, fits: Callable[[int, int], bool]) -> Callable[[Any, Any, Any, Any], bool]:
    return lambda value, wanted, _schema, _root: not isinstance(value, kind) or fits(len(value), wanted)  # type: ignore[arg-type]  # the kinds given have a length


_KEYWORDS: dict[str, Callable[[Any, Any, Any, Any], bool]] = {
    **dict.fromkeys(("$schema", "$defs", "title", "description", "then"), lambda *_: True),
    "$ref": _reference,
    "type": _type,
    "const": lambda value, wanted, _s, _r: _same(value, wanted),
    "enum": lambda value, wanted, _s, _r: any(_same(value, entry) for entry in wanted),
    "not": lambda value, wanted, _s, root: not _fits(value, wanted, root),
    "anyOf": lambda value, wanted, _s, root: any(_fits(value, entry, root) for entry in wanted),
    "allOf": lambda value, wanted, _s, root: all(_fits(value, entry, root) for entry in wanted),
    "if": _condition,
    "required": lambda value, wanted, _s, _r: not isinstance(value, dict) or all(name in value for name in wanted),
    "properties": _properties,
    "patternProperties": _patterns,
    "additionalProperties": _additional,
    "propertyNames": lambda value, wanted, _s, root: (
        not isinstance(value, dict) or all(_fits(name, wanted, root) for name in value)
    ),
    "minProperties": _sized(dict, lambda size, least: size >= least),
    "maxProperties": _sized(dict, lambda size, most: size <= most),
    "items": lambda value, wanted, _s, root: (
        not isinstance(value, list) or all(_fits(entry, wanted, root) for entry in value)
    ),
    "minItems": _sized(list, lambda size, least: size >= least),
    "maxItems": _sized(list, lambda size, most: size <= most),
    "uniqueItems": _unique,
    "minLength": _sized(str, lambda size, least: size >= least),
    "maxLength": _sized(str, lambda size, most: size <= most),
    "pattern": lambda value, wanted, _s, _r: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minimum": lambda value, wanted, _s, _r: not _TYPES["number"](value) or value >= wanted,
}
