"""Statements from shapes: `(table, columns, conditions) -> Plan`. Pure; every name in a text comes from the catalogue.

A plan's text depends on the shape of the call alone, never on a value, so that asyncpg finds the statement prepared.
"""

# ruff: noqa: S608  # the texts are put together here, from names in the catalogue and this module's own words

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flux.data.types.codec import Convert
from flux.failure import HostError, invalid

from .conditions import COMPARISONS, WITHOUT_VALUE, Order, Shape

if TYPE_CHECKING:
    from .catalogue import Column, Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`encoders` make the parameters, in order, from the call's values; `decoders` are by result column."""

    text: str
    encoders: tuple[tuple[str, Convert], ...] = ()
    decoders: tuple[tuple[str, Convert], ...] = ()

    def parameters(self, values: Iterable[Any]) -> list[Any]:
        """Raises 400 INVALID_VALUE naming the column."""
        return [
            None if value is None else _encoded(name, encode, value)
            for (name, encode), value in zip(self.encoders, values, strict=True)
        ]


def _encoded(name: str, encode: Convert, value: Any) -> Any:
    try:
        return encode(value)
    except ValueError as error:
        raise HostError("INVALID_VALUE", 400, f'"{name}": {error}.', {"column": name}) from None


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Parameters:
    """Numbers the parameters of a statement and keeps their encoders."""

    def __init__(self) -> None:
        self.encoders: list[tuple[str, Convert]] = []

    def add(self, column: Column) -> str:
        codec = column.codec
        brackets = "[]" if codec.array else ""
        return self._next(column.name, codec.encode, f"::text{brackets}::{codec.sql}" if codec.cast else "")

    def add_list(self, column: Column, *, typed: bool = False) -> str:
        """One parameter that holds any number of the column's values. `typed`: says its type, which nothing implies."""
        codec = column.codec
        if codec.array:  # Postgres has no arrays of arrays
            raise invalid(f'"{column.name}" holds arrays, for which there is no "in".')
        cast = f"::text[]::{codec.sql}[]" if codec.cast else f"::{codec.sql}[]" if typed else ""
        return self._next(column.name, lambda values: [v if v is None else codec.encode(v) for v in values], cast)

    def add_integer(self, name: str) -> str:
        return self._next(name, int, "::bigint")

    def _next(self, name: str, encode: Convert, cast: str) -> str:
        self.encoders.append((name, encode))
        return f"${len(self.encoders)}{cast}"


def _source(table: Table) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)} AS t"


def _selected(table: Table, columns: Sequence[str] | None) -> tuple[str, tuple[tuple[str, Convert], ...]]:
    found = [table.column(name) for name in columns] if columns is not None else list(table.columns.values())
    expressions = []
    decoders = []
    for column in found:
        name, codec = quoted(column.name), column.codec
        if codec.cast:
            expressions.append(f"t.{name}::text{'[]' if codec.array else ''} AS {name}")
        else:
            expressions.append(f"t.{name}")
        if codec.decode is not None:
            decoders.append((column.name, codec.decode))
    return ", ".join(expressions), tuple(decoders)


def _where(table: Table, shape: Shape, parameters: _Parameters) -> str:
    terms = []
    for name, operator in shape:
        column = table.column(name)
        left = f"t.{quoted(name)}"
        if operator in WITHOUT_VALUE:
            terms.append(f"{left} IS {'NULL' if operator == 'null' else 'NOT NULL'}")
        elif operator == "in":
            terms.append(f"{left} = ANY ({parameters.add_list(column)})")
        elif operator == "in_or_null":
            terms.append(f"({left} = ANY ({parameters.add_list(column)}) OR {left} IS NULL)")
        else:
            terms.append(f"{left} {COMPARISONS[operator]} {parameters.add(column)}")
    return " WHERE " + " AND ".join(terms) if terms else ""


def select(
    table: Table, columns: Sequence[str] | None, shape: Shape, order: Order, *, limit: bool, offset: bool
) -> Plan:
    """Values: those of the conditions, then limit (if `limit`; else 1 row), then offset (if `offset`)."""
    parameters = _Parameters()
    expressions, decoders = _selected(table, columns)
    text = f"SELECT {expressions} FROM {_source(table)}{_where(table, shape, parameters)}"
    if order:
        text += " ORDER BY " + ", ".join(f"t.{quoted(table.column(name).name)} {way}" for name, way in order)
    text += f" LIMIT {parameters.add_integer('limit')}" if limit else " LIMIT 1"
    if offset:
        text += f" OFFSET {parameters.add_integer('offset')}"
    return Plan(text=text, encoders=tuple(parameters.encoders), decoders=decoders)


def count(table: Table, shape: Shape) -> Plan:
    parameters = _Parameters()
    text = f"SELECT count(*) AS n FROM {_source(table)}{_where(table, shape, parameters)}"
    return Plan(text=text, encoders=tuple(parameters.encoders))


def insert(table: Table, columns: Sequence[str], conflict: Sequence[str] | None = None) -> Plan:
    """One row; with `conflict`, the columns of a unique index, the row that is there takes the other values."""
    parameters = _Parameters()
    expressions, decoders = _selected(table, None)
    text = f"INSERT INTO {_source(table)}"
    if columns:
        names = ", ".join(quoted(name) for name in columns)
        values = ", ".join(parameters.add(table.column(name)) for name in columns)
        text += f" ({names}) VALUES ({values})"
    else:
        text += " DEFAULT VALUES"
    if conflict:
        target = ", ".join(quoted(table.column(name).name) for name in conflict)
        # Something must be set, or an existing row would not be returned.
        changed = [name for name in columns if name not in conflict] or [conflict[0]]
        sets = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in changed)
        text += f" ON CONFLICT ({target}) DO UPDATE SET {sets}"
    return Plan(text=f"{text} RETURNING {expressions}", encoders=tuple(parameters.encoders), decoders=decoders)


def insert_lists(table: Table, columns: Sequence[str]) -> Plan:
    """Any number of rows with the same columns, none of them of an array type. Values: one list per column."""
    parameters = _Parameters()
    expressions, decoders = _selected(table, None)
    names = ", ".join(quoted(name) for name in columns)
    lists = ", ".join(parameters.add_list(table.column(name), typed=True) for name in columns)
    text = f"INSERT INTO {_source(table)} ({names}) SELECT * FROM unnest({lists}) RETURNING {expressions}"
    return Plan(text=text, encoders=tuple(parameters.encoders), decoders=decoders)


def insert_rows(table: Table, columns: Sequence[str], rows: Sequence[frozenset[str]]) -> Plan:
    """Rows that differ in their columns (sets of names); what a row lacks gets its default. Values: row by row."""
    parameters = _Parameters()
    expressions, decoders = _selected(table, None)
    names = ", ".join(quoted(name) for name in columns)
    found = [table.column(name) for name in columns]
    tuples = ", ".join(
        "(" + ", ".join(parameters.add(column) if column.name in row else "DEFAULT" for column in found) + ")"
        for row in rows
    )
    text = f"INSERT INTO {_source(table)} ({names}) VALUES {tuples} RETURNING {expressions}"
    return Plan(text=text, encoders=tuple(parameters.encoders), decoders=decoders)


def update(table: Table, columns: Sequence[str], shape: Shape) -> Plan:
    """Values: the new ones, then those of the conditions."""
    parameters = _Parameters()
    expressions, decoders = _selected(table, None)
    sets = ", ".join(f"{quoted(name)} = {parameters.add(table.column(name))}" for name in columns)
    text = f"UPDATE {_source(table)} SET {sets}{_where(table, shape, parameters)} RETURNING {expressions}"
    return Plan(text=text, encoders=tuple(parameters.encoders), decoders=decoders)


def delete(table: Table, shape: Shape) -> Plan:
    parameters = _Parameters()
    expressions, decoders = _selected(table, None)
    text = f"DELETE FROM {_source(table)}{_where(table, shape, parameters)} RETURNING {expressions}"
    return Plan(text=text, encoders=tuple(parameters.encoders), decoders=decoders)
