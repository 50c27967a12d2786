"""Which row a person means by `42`, `id=42`, `a=1,b=2` or `{"a": 1, "b": "x,y"}`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from flux.failure import invalid


def key_values(text: str, columns: Sequence[str], table: str) -> list[str]:
    """The values of the key's columns, as text, in their order. Raises 400 INVALID_ARGUMENT."""
    if not columns:
        raise invalid(f'Table "{table}" has no primary key: its rows cannot be told apart.')
    given = _object(text)
    if given is None and len(columns) == 1:
        return [text.removeprefix(f"{columns[0]}=")]
    if given is None:
        given = _pairs(text)
    if set(given) != set(columns):
        shape = ",".join(f"{column}=..." for column in columns)
        raise invalid(f'A row of table "{table}" is named by its key: {shape}')
    return [given[column] for column in columns]


def key_object(key: str, columns: Sequence[str]) -> Mapping[str, Any]:
    """A mutation's key for `orjson.dumps`: {column: value}, numbers digit for digit."""
    values = json.loads(key, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    # The key was another one when this was written: nobody remembers what its columns were called.
    names = columns if len(columns) == len(values) else [str(place) for place in range(1, len(values) + 1)]
    return dict(zip(names, values, strict=True))


def _object(text: str) -> dict[str, str] | None:
    if not text.startswith("{"):
        return None
    try:
        parsed = json.loads(text, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    except ValueError:
        return None
    return {name: _text(value) for name, value in parsed.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pairs(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip(): value for name, _, value in pairs}
