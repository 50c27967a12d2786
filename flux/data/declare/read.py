"""The definition of what is in a database now."""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson

from .model import Action, Check, Column, Definition, Enumeration, ForeignKey, Identity, Index, Stored, Table, Unique
from .quoting import quoted

if TYPE_CHECKING:
    from flux.store.pool import Connection

_QUERY = files(__package__).joinpath("read.sql").read_text("utf-8")

_IDENTITIES: dict[str, Identity] = {"": "", "a": "always", "d": "by default"}
_GENERATED: dict[str, Stored] = {"": "", "s": "stored", "v": "virtual"}
_ACTIONS: dict[str, Action] = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_USING = " USING "
_PRIMARY, _UNIQUE, _CHECK, _FOREIGN = "pucf"


async def read_definition(conn: Connection, schema: str) -> Definition:
    """The tables and enumerations of the schema of this name."""
    row = await conn.fetchrow(_QUERY, quoted(schema))
    assert row is not None
    return assemble({name: orjson.loads(text or "[]") for name, text in row.items()})


def assemble(sections: dict[str, list[Any]]) -> Definition:
    """The sections of read.sql as a definition. Pure."""
    columns: dict[str, dict[str, Column]] = defaultdict(dict)
    for table, name, type_, nullable, identity, generated, expression, comment in sections["columns"]:
        columns[table][name] = Column(
            name=name,
            type=type_,
            nullable=nullable,
            expression=expression,
            generated=_GENERATED[generated],
            identity=_IDENTITIES[identity],
            comment=comment,
        )
    constraints: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for table, name, kind, *rest in sections["constraints"]:
        constraints[table, kind].append((name, *rest))
    indexes: dict[str, list[Index]] = defaultdict(list)
    for table, name, unique, text in sections["indexes"]:
        indexes[table].append(Index(definition=text.partition(_USING)[2], unique=unique, name=name))
    tables = {
        name: Table(
            name=name,
            columns=columns[name],
            key=next((tuple(found[1]) for found in constraints[name, _PRIMARY]), ()),
            key_name=next((found[0] for found in constraints[name, _PRIMARY]), None),
            uniques=tuple(map(_unique, constraints[name, _UNIQUE])),
            checks=tuple(map(_check, constraints[name, _CHECK])),
            indexes=tuple(indexes[name]),
            foreign_keys=tuple(map(_foreign_key, constraints[name, _FOREIGN])),
            comment=comment,
            rows=rows,
        )
        for name, rows, comment in sections["tables"]
    }
    enumerations = {
        name: Enumeration(
            name=name,
            labels=tuple(labels or ()),
            columns=frozenset((table, column) for table, column in users or ()),
            needed=needed,
        )
        for name, labels, users, needed in sections["enumerations"]
    }
    return Definition(tables=tables, enumerations=enumerations)


def _unique(row: Any) -> Unique:
    name, columns, _, _, _, _, _, _, nulls_not_distinct = row
    return Unique(columns=tuple(columns), nulls_not_distinct=bool(nulls_not_distinct), name=name)


def _check(row: Any) -> Check:
    return Check(expression=row[7], name=row[0])


def _foreign_key(row: Any) -> ForeignKey:
    name, columns, target, target_columns, on_delete, on_update, deferred, _, _ = row
    return ForeignKey(
        columns=tuple(columns),
        target=target,
        target_columns=tuple(target_columns),
        on_delete=_ACTIONS[on_delete],
        on_update=_ACTIONS[on_update],
        deferred=deferred,
        name=name,
    )
