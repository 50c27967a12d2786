"""What a schema is made of, as far as `flux db` looks after it: tables, columns, constraints, indexes, enumerations.

The engine's own `flux.data.schema.model` knows what a query needs. Here is what DDL needs: names of constraints,
actions of foreign keys, texts of expressions. On both sides of a comparison all types and expressions are as Postgres
prints them (`shadow.py` says how), so comparing texts is comparing meanings. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Identity = Literal["", "always", "by default"]
Stored = Literal["", "stored", "virtual"]
Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
ACTIONS: tuple[Action, ...] = ("no action", "restrict", "cascade", "set null", "set default")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """`expression` is the default, or what a generated column is computed from (then `generated` says how)."""

    name: str
    type: str
    nullable: bool = False
    expression: str | None = None
    generated: Stored = ""
    identity: Identity = ""
    comment: str | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unique:
    columns: tuple[str, ...]
    nulls_not_distinct: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    expression: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """`definition` is what stands behind USING: "btree (lower(email)) WHERE active"."""

    definition: str
    unique: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignKey:
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: Action = "no action"
    on_update: Action = "no action"
    deferred: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`key`: the primary key's columns. `rows` is an estimate, for tables that exist."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    key_name: str | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    renamed_from: str | None = None
    rows: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Enumeration:
    """`columns`: (table, column) of all that are of this type or an array of it; `needed`: by something else, too."""

    name: str
    labels: tuple[str, ...]
    columns: frozenset[tuple[str, str]] = frozenset()
    needed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """All of a schema. `ignore`: patterns of tables that are not looked after."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    enumerations: Mapping[str, Enumeration] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()

    def ignores(self, table: str) -> bool:
        return any(fnmatchcase(table, pattern) for pattern in self.ignore)
