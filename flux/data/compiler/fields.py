"""The fields of an answer, put together as JSON text by Postgres, nested or not. Pure.

An alias is the caller's word. It gets into a text only where it is the name of something in the schema; else it is a
parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from flux.data.query.model import Item, Target
from flux.data.schema.model import Table

from .json_form import json_form, key
from .names import CACHED_NAMES, constant
from .parameters import Parameters
from .statement import Place
from .terms import Term

# Tables of a database times the sets of columns that roles may read.
MAX_OBJECTS = 4096

MAX_ARGUMENTS = 100  # of one function in Postgres


class Field(NamedTuple):
    """`name`: the alias if it is a name of the schema's, else None. `value`: the expression of its JSON."""

    alias: str
    name: str | None
    value: str


_objects: dict[tuple[int, frozenset[str] | None, bool], tuple[Table, str]] = {}


def all_columns(place: Place, *, one: bool) -> str:
    """The row called t as JSON, with every column that may be read. Kept by table: most statements have the same."""
    table, readable = place.table, place.readable
    # By identity: tables hold mappings, so they have no hash. The kept one cannot have been another's.
    found = _objects.get((id(table), readable, one))
    if found is None or found[0] is not table:
        if len(_objects) >= MAX_OBJECTS:
            _objects.clear()
        fields = [field(place, item) for item in readable_items(place)]
        found = _objects[id(table), readable, one] = (table, json_object(fields, place.statement.parameters, one=one))
    return found[1]


def readable_items(place: Place) -> list[Item]:
    return [Item(name, Target(name)) for name in place.table.columns if place.may_read((name,))]


def known_name(table: Table, alias: str) -> str | None:
    """The alias as the schema's own text, if it is a name there."""
    return alias if alias in table.columns or alias in table.relations or alias in table.computed else None


def field(place: Place, item: Item) -> Field:
    target = item.target
    return Field(item.alias, known_name(place.table, item.alias), _json(place, place.term(target), target))


def _json(place: Place, term: Term, target: Target) -> str:
    """The JSON of a term; that of columns is kept."""
    if target.path or target.column not in place.row.terms:
        return json_form(term.sql, term.codec)
    found = place.row.json.get(target.column)
    if found is None:
        found = place.row.json[target.column] = json_form(term.sql, term.codec)
    return found


def json_object(fields: Sequence[Field], parameters: Parameters, *, one: bool = False) -> str:
    """The text of a JSON object. `one`: of the only row of a statement.

    `||` is the fastest for each row, but there are as many operators to be got ready as there are pieces. So a single
    row is put together by `concat`.
    """
    pieces: list[str] = []
    separator = "{"
    for alias, name, value in fields:
        if name is None:
            pieces.append(parameters.constant(separator + key(alias)) + "::text")
        else:
            pieces.append(_label(separator, name))
        pieces.append(value if one else value + "::text")
        separator = ","
    pieces.append("'}'" if fields else "'{}'")
    if one:
        starts = range(0, len(pieces), MAX_ARGUMENTS)
        pieces = [f"concat({', '.join(pieces[start : start + MAX_ARGUMENTS])})" for start in starts]
    return " || ".join(pieces)


@lru_cache(CACHED_NAMES)
def _label(separator: str, name: str) -> str:
    return constant(separator + key(name))
