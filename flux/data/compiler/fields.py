"""The fields of an answer: result columns at the top level, JSON text where rows are nested. Pure.

An alias is the caller's word. It gets into a text only where it is the name of something in the schema; else result
columns are told apart by position, and a nested alias is a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from flux.data.query.model import Item, Target
from flux.data.schema.model import Table
from flux.data.types.codec import Convert

from .json_form import key
from .names import CACHED_NAMES, constant, quoted
from .parameters import Parameters
from .statement import Place
from .terms import Term

# Tables of a database times the sets of columns that roles may read.
MAX_LISTS = 4096

Decoders = tuple[tuple[str, Convert], ...]


class Field(NamedTuple):
    """`name`: the alias if it is a name of the schema's, else None."""

    alias: str
    name: str | None
    sql: str
    decode: Convert | None


class Output(NamedTuple):
    """The select list of a result. `decoders` by column, or `fields` by position when there are foreign aliases."""

    sql: str
    columns: tuple[str, ...]
    decoders: Decoders = ()
    fields: tuple[tuple[str, Convert | None], ...] | None = None


_lists: dict[tuple[int, frozenset[str] | None], tuple[Table, Output]] = {}


def all_columns(place: Place) -> Output:
    """Every column that may be read, of the row called t. Kept by table, as it is the same in most statements."""
    table, readable = place.table, place.readable
    # By identity: tables hold mappings, so they have no hash. The kept one cannot have been another's.
    found = _lists.get((id(table), readable))
    if found is None or found[0] is not table:
        if len(_lists) >= MAX_LISTS:
            _lists.clear()
        made = output([field(place, item) for item in readable_items(place)])
        found = _lists[id(table), readable] = (table, made)
    return found[1]


def readable_items(place: Place) -> list[Item]:
    return [Item(name, Target(name)) for name in place.table.columns if place.may_read((name,))]


def known_name(table: Table, alias: str) -> str | None:
    """The alias as the schema's own text, if it is a name there."""
    return alias if alias in table.columns or alias in table.relations or alias in table.computed else None


def field(place: Place, item: Item) -> Field:
    term = place.term(item.target)
    return Field(item.alias, known_name(place.table, item.alias), selected(term), term.codec.decode)


def selected(term: Term) -> str:
    """The expression as its codec wants it to arrive."""
    if not term.codec.cast:
        return term.sql
    return f"{term.sql}::text[]" if term.codec.array else f"{term.sql}::text"


def output(fields: Sequence[Field], *, numbered: bool = False) -> Output:
    """`numbered`: foreign aliases need columns that can be named (c1, c2 ...), as they are read from a WITH."""
    if all(field.name is not None for field in fields):
        return Output(
            ", ".join([_named(field.sql, field.alias) for field in fields]),
            tuple([quoted(field.alias) for field in fields]),
            tuple([(field.alias, field.decode) for field in fields if field.decode is not None]),
        )
    names = tuple([f"c{number}" for number in range(1, len(fields) + 1)])
    if numbered:
        sql = ", ".join([f"{field.sql} AS {name}" for field, name in zip(fields, names, strict=True)])
    else:
        sql = ", ".join([field.sql for field in fields])
    return Output(sql, names, fields=tuple([(field.alias, field.decode) for field in fields]))


def _named(sql: str, alias: str) -> str:
    name = quoted(alias)
    return sql if sql.endswith(f".{name}") else f"{sql} AS {name}"


def json_object(parts: Sequence[tuple[str, str | None, str]], parameters: Parameters) -> str:
    """The text of a JSON object, from (alias, its name in the schema, the expression of its value's JSON text)."""
    pieces: list[str] = []
    separator = "{"
    for alias, name, value in parts:
        if name is None:
            pieces.append(parameters.constant(separator + key(alias)) + "::text")
        else:
            pieces.append(_label(separator, name))
        pieces.append(value)
        separator = ","
    pieces.append("'}'" if parts else "'{}'")
    return " || ".join(pieces)


@lru_cache(CACHED_NAMES)
def _label(separator: str, name: str) -> str:
    return constant(separator + key(name))
