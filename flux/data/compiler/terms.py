"""Places in a row (columns, computed columns, places inside JSON) as SQL with a type. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from flux.data.query.model import Target
from flux.data.schema.model import Column, Computed, Family, Table, unknown_column
from flux.data.types.codec import Codec, codec
from flux.failure import HostError

from .names import quoted
from .parameters import Parameters

# Tables of a database times the aliases that they get; a schema that is read again brings new tables.
MAX_ROWS: Final = 8192

# Enumerations, which are "other", are not.
_HEAVY: Final[frozenset[Family]] = frozenset(("text", "bytes", "json", "array", "fts", "other"))

_TEXT = codec("text", sql="text")
_JSON = codec("json", sql="json")
_JSONB = codec("jsonb", sql="jsonb")


class Term(NamedTuple):
    """An expression and what it is. `risky`: it may fail for what a row holds, so hidden rows must not reach it.
    `heavy`: its values are of any size, and take their time; no index knows them.
    """

    sql: str
    codec: Codec
    family: Family
    type: str
    name: str
    nullable: bool = True
    risky: bool = False
    heavy: bool = False


class Row:
    """The columns of a table as terms of the row called `alias`, made when they are asked for. `json`: their JSON."""

    __slots__ = ("json", "table", "terms")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.terms: dict[str, Term] = {}
        self.json: dict[str, str] = {}


_rows: dict[tuple[int, str], Row] = {}


def row(table: Table, alias: str) -> Row:
    """Kept, as most statements name the same tables. By identity: tables hold mappings, so they have no hash."""
    found = _rows.get((id(table), alias))
    if found is None or found.table is not table:  # another table's that is gone
        if len(_rows) >= MAX_ROWS:
            _rows.clear()
        found = _rows[id(table), alias] = Row(table)
    return found


def column_term(row: Row, alias: str, name: str) -> Term | None:
    """A column of the table; None when it has no such column."""
    found = row.table.columns.get(name)
    if found is None:
        return None
    made = row.terms[name] = _column(alias, found, row.table)
    return made


def term(table: Table, alias: str, target: Target, parameters: Parameters, *, ready: bool = False) -> Term:
    """A computed column, or a place in JSON. Raises 400 UNKNOWN_COLUMN, INVALID_ARGUMENT.

    `ready`: the row is that of a subquery, which has computed columns as columns.
    """
    found = table.columns.get(target.column)
    if found is None:
        computed = table.computed.get(target.column)
        if computed is None:
            raise unknown_column(table, target.column)
        called = f"{alias}.{quoted(computed.name)}" if ready else call(computed, alias)
        whole = Term(called, computed.codec, computed.family, computed.type, computed.name, risky=True)
    else:
        whole = _column(alias, found, table)
    return _inside(whole, target, parameters) if target.path else whole


def given_term(table: Table, sql: str, target: Target, parameters: Parameters) -> Term:
    """A column, or a place in it, whose value is not the row's but that of the expression `sql`."""
    whole = _column("", table.columns[target.column], table)._replace(sql=sql)
    return _inside(whole, target, parameters) if target.path else whole


def call(computed: Computed, alias: str) -> str:
    # Not the bare alias, which would mean the column of that name where the table has one.
    return f"{quoted(computed.schema)}.{quoted(computed.function)}({alias}.*)"


def _column(alias: str, column: Column, table: Table) -> Term:
    sql = f"{alias}.{quoted(column.name)}"
    if column.domain and column.enum and not column.codec.array:
        sql += f"::{column.codec.sql}"  # operators of enumerations are not found for domains over them
    heavy = (
        column.family in _HEAVY and not column.enum and not any(column.name in index.columns for index in table.indexes)
    )
    return Term(sql, column.codec, column.family, column.type, column.name, column.nullable, heavy=heavy)


def _inside(whole: Term, target: Target, parameters: Parameters) -> Term:
    """Names of members are the caller's, so they are parameters."""
    if whole.family != "json" or whole.codec.array:
        raise HostError(
            "INVALID_ARGUMENT",
            400,
            f'"{whole.name}" is of type {whole.type}; only json and jsonb have places inside.',
            {"column": whole.name, "type": whole.type},
        )
    sql = whole.sql
    for position, segment in enumerate(target.path, 1):
        arrow = "->>" if target.as_text and position == len(target.path) else "->"
        # Integers are written out: they are the query's shape, and as text they would name a member.
        sql += f" {arrow} {segment}" if isinstance(segment, int) else f" {arrow} {parameters.constant(segment)}::text"
    # What json (not jsonb) holds may be no text and no jsonb: \u0000, numbers without bounds.
    risky = whole.risky or whole.codec.sql == "json"
    if target.as_text:
        return Term(f"({sql})", _TEXT, "text", "text", whole.name, risky=risky, heavy=True)
    inner = _JSON if whole.codec.sql == "json" else _JSONB
    return Term(f"({sql})", inner, "json", inner.sql, whole.name, risky=risky, heavy=True)


def comparable(found: Term) -> str:
    """The expression where values are compared, ordered or grouped: json has no operators, jsonb does."""
    return f"{found.sql}::jsonb" if found.codec.sql == "json" else found.sql
