"""Tables as values: what the engine knows of a database. Read by `introspect`, asked by everything else. Pure.

A name that is not in here never reaches a statement; so there is nothing to escape, and nothing to inject into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from flux.data.types.codec import Codec
from flux.data.types.family import Family
from flux.failure import HostError, nearest

__all__ = [
    "Column", "Computed", "Family", "Generated", "Index", "Kind", "Relation", "Schema", "Table", "unknown_column",
]  # fmt: skip

Kind = Literal["table", "partitioned", "view", "materialized_view", "foreign"]
Generated = Literal["", "stored", "virtual", "identity_always", "identity_by_default"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """`type` is Postgres' own spelling, modifiers included ("numeric(10,2)", "text[]"); a domain is itself in `domain`
    and its base in `type`. `default` is an expression's text, or None. `enum` lists the labels of an enumeration
    (also of the elements of an array: see `codec.array`).
    """

    name: str
    codec: Codec
    type: str
    family: Family
    nullable: bool = True
    default: str | None = None
    generated: Generated = ""
    domain: str | None = None
    enum: tuple[str, ...] = ()
    comment: str | None = None

    @property
    def required(self) -> bool:
        """Whether an insert must give it a value."""
        return not self.nullable and self.default is None and not self.generated

    @property
    def writable(self) -> bool:
        """Whether a statement may give it a value at all."""
        return self.generated not in ("stored", "virtual", "identity_always")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A foreign key, seen from one of its two ends. `columns` here match `target_columns` there, pairwise.

    `many`: there may be several rows at the other end. `name` is unique within its table: for the end that holds the
    key, its single column without "_id" if there is one ("author"), else the constraint's name; for the other end, the
    other table's name ("posts"), or "posts_by_author" where two keys lead to the same table. A name that is also a
    column's gets "_rel" appended. `constraint` always works as a name, too.
    """

    name: str
    constraint: str
    target: str
    columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    many: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """`columns` are those that are plain columns, in order, up to the first expression.

    `unique`: no two rows are the same in `columns` (never so with an expression; of a `partial` one, in its rows only).
    """

    name: str
    columns: tuple[str, ...]
    unique: bool
    method: str = "btree"
    partial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Computed:
    """A function of one row of the table (`full_name(users)`), used as if it were a column that cannot be written."""

    name: str
    schema: str
    function: str
    codec: Codec
    type: str
    family: Family


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`key` names the primary key's columns, in their order; views and some tables have none. `rows` is an estimate.
    `rewritten`: triggers of its own may change a row before it is written. `checked`: after those fires Flux's own,
    which asks what policies want of the row. `shows`: other tables, by name, whose rows are seen in it: those that a
    view is made of, those that inherit from it or that it inherits from; with its schema one that is not
    in the search path.
    """

    schema: str
    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    oid: int = 0
    kind: Kind = "table"
    relations: Mapping[str, Relation] = field(default_factory=dict)
    indexes: tuple[Index, ...] = ()
    computed: Mapping[str, Computed] = field(default_factory=dict)
    rows: int = 0
    rewritten: bool = False
    checked: bool = False
    shows: frozenset[str] = frozenset()
    comment: str | None = None

    def column(self, name: str) -> Column:
        """Raises 400 UNKNOWN_COLUMN."""
        found = self.columns.get(name)
        if found is None:
            raise unknown_column(self, name)
        return found

    def relation(self, name: str) -> Relation:
        """By its name or its constraint's. Raises 400 UNKNOWN_RELATION."""
        found = self.relations.get(name)
        if found is None:
            for relation in self.relations.values():
                if relation.constraint == name:
                    return relation
            raise HostError(
                "UNKNOWN_RELATION",
                400,
                f'Table "{self.name}" has no relation "{name}".' + nearest(name, self.relations),
                {"table": self.name, "relation": name},
            )
        return found


def unknown_column(table: Table, name: str) -> HostError:
    return HostError(
        "UNKNOWN_COLUMN",
        400,
        f'Table "{table.name}" has no column "{name}".' + nearest(name, (*table.columns, *table.computed)),
        {"table": table.name, "column": name},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """All tables that callers may name, by name. `version` changes whenever anything in it does."""

    tables: Mapping[str, Table]
    version: str = ""

    def table(self, name: str) -> Table:
        """Raises 400 UNKNOWN_TABLE."""
        found = self.tables.get(name)
        if found is None:
            raise HostError(
                "UNKNOWN_TABLE", 400, f'There is no table "{name}".' + nearest(name, self.tables), {"table": name}
            )
        return found
