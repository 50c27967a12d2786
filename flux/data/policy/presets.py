"""Grants with a name: what most policies are. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flux.data.query.model import ALWAYS, Auth, Compare, Condition, Target
from flux.data.schema.model import Table
from flux.failure import nearest

from .model import ANYBODY, AUTHENTICATED, OPERATIONS, Grant, Operation
from .operands import check, typed

Grants = Mapping[Operation, Grant]

PRESETS = {
    "full": "everything",
    "read_only": "read all rows and columns",
    "public_read": "read all rows and columns; for a whole table: anybody may",
    "owner(column)": "the rows whose column is $auth.uid, and no others",
    "tenant(column)": "the rows whose column is $auth.tenant, and no others",
}
_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*(?:\"([^\"]+)\"|(\w+))\s*\))?\s*")


def preset(text: str, table: Table) -> Grants:
    """What the preset grants. Raises ValueError naming the presets there are, or what is wrong with its column."""
    match = _CALL.fullmatch(text)
    name = match[1] if match else text
    column = (match[2] or match[3]) if match else None
    if name in ("owner", "tenant"):
        if column is None:
            raise ValueError(f'needs a column: "{name}(column)"')
        return _rows_of(table, column, "uid" if name == "owner" else "tenant")
    if name not in ("full", "read_only", "public_read"):
        raise ValueError(f'unknown preset "{text}".{nearest(name, PRESETS)} Presets: {", ".join(PRESETS)}')
    if column is not None:
        raise ValueError(f'the preset {name} takes no column: "{name}"')
    return dict.fromkeys(OPERATIONS, Grant()) if name == "full" else {"select": Grant()}


def table_presets(texts: list[str], table: Table) -> dict[tuple[str, Operation], Grant]:
    """Presets of a whole table: for everybody with a key, `public_read` for anybody. Raises ValueError.

    They add up: with "owner(user_id)" and "public_read" the owner still sees all rows, and changes their own.
    """
    found: dict[tuple[str, Operation], Grant] = {}
    public = False
    for text in texts:
        grants = preset(text, table)
        if text.strip() == "public_read":
            public = True
            found[ANYBODY, "select"] = Grant()
            continue
        for operation, grant in grants.items():
            before = found.get((AUTHENTICATED, operation))
            if before is not None and before != grant:
                raise ValueError(f'"{text}" and the presets before it grant {operation} in different ways')
            found[AUTHENTICATED, operation] = grant
    if public and (AUTHENTICATED, "select") in found:
        found[AUTHENTICATED, "select"] = Grant()
    return found


def _rows_of(table: Table, column: str, fact: str) -> Grants:
    place = typed(table, Target(column))
    check(table, place, "eq", Auth((fact,)))
    own: Condition = Compare(place.target, "eq", Auth((fact,)))
    return {
        "select": Grant(where=own),
        "insert": Grant(where=ALWAYS, check=own),
        "update": Grant(where=own, check=own),
        "delete": Grant(where=own),
    }
