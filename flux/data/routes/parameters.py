"""The query string of a data route, in terms of the query format. Pure.

    ?plan=pro&age=gte.18&order_by=-created_at,name&limit=20      or, for each of them,      ?where={"plan": "pro"}

A name that the request does not take is a filter: a column or a path into JSON. Its text stays text here, since only
the schema knows what it stands for (`resolve`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from flux.failure import HostError, invalid

Texts = Mapping[str, "str | list[str]"]
# A filter: the column or path, and what is wanted of it: `pro`, `gte.18`, `not.in.1,2`.
Filter = tuple[str, str]

COUNT: Final = "count"
EXACT: Final = "exact"

_INTEGER = re.compile(r"\d{1,10}")
_NUMBERS: Final = frozenset(("limit", "offset"))
_FLAGS: Final = frozenset(("all",))
_JSON_ONLY: Final = frozenset(("where", "after"))


def read_parameters(sent: Texts, taken: frozenset[str], *, filters: bool) -> tuple[dict[str, Any], list[Filter]]:
    """What is `taken`, as the query format has it, and the filters. Raises 400 INVALID_ARGUMENT naming the parameter.

    Without `filters` any further name is an error.
    """
    found: dict[str, Any] = {}
    wanted: list[Filter] = []
    unknown: list[str] = []
    for name, value in sent.items():
        if name in taken:
            if isinstance(value, list):
                raise invalid(f'The parameter "{name}" is given {len(value)} times.')
            found[name] = _value(name, value)
        elif filters and name:
            wanted += [(name, text) for text in ([value] if isinstance(value, str) else value)]
        else:
            unknown.append(name)
    if unknown:
        raise unknown_parameters(unknown, taken)
    return found, wanted


def unknown_parameters(names: list[str], taken: frozenset[str]) -> HostError:
    shown = ", ".join(f'"{name[:100]}"' for name in names[:10])
    takes = f"It takes: {', '.join(sorted(taken))}." if taken else "It takes none."
    return HostError(
        "INVALID_ARGUMENT",
        400,
        f"This request does not take the parameter {shown}. {takes}",
        {"parameters": names[:10]},
    )


def _value(name: str, text: str) -> Any:
    if name in _NUMBERS:
        if not _INTEGER.fullmatch(text):
            raise invalid(f'The parameter "{name}" must be a whole number, 0 or more.')
        return int(text)
    if name == COUNT:
        if text != EXACT:
            raise invalid(f'The parameter "{COUNT}" must be "{EXACT}", or not be there.')
        return True
    if name in _FLAGS or (name == "distinct" and text in ("true", "false")):
        if text not in ("true", "false"):
            raise invalid(f'The parameter "{name}" must be true or false.')
        return text == "true"
    if name in _JSON_ONLY or text[:1] in ("{", "["):
        return json_of(name, text)
    if name == "order_by":
        return [_order(entry) for entry in text.split(",")]
    # `select=id,email` says the same as `columns=id,email`; `request` puts it where it belongs.
    return [entry.strip() for entry in text.split(",")]


def json_of(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f'The parameter "{name}" is not valid JSON: {error}.') from None


def _order(entry: str) -> str | dict[str, str]:
    """`name`, `-name` for descending."""
    name = entry.strip()
    return {name[1:]: "desc"} if name.startswith("-") else name
