"""A declared schema as Postgres would print it: made in a schema of its own, read back, and rolled back.

`age > 0` comes back as `(age > 0)`, `varchar(80)` as `character varying(80)`, `'free'` as `'free'::plan`. No other way
of telling whether two expressions are the same is as good as asking the one who prints them. Nothing of it remains, and
no table of the team's is touched: foreign keys, which would lock the tables they lead to, are not made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg

from flux.errors import ConfigError

from . import ddl
from .model import Definition, Table
from .read import read_definition

if TYPE_CHECKING:
    from flux.store.pool import Connection

SCHEMA = "flux_shadow"
# DDL of somebody else may hold what we want to look at; a comparison must not queue everybody up behind itself.
LOCK_TIMEOUT = "5s"


class _RolledBack(Exception):
    """Ends the transaction."""


@asynccontextmanager
async def _undone(conn: Connection) -> AsyncIterator[None]:
    """A transaction of which nothing remains."""
    try:
        async with conn.transaction():
            yield
            raise _RolledBack
    except _RolledBack:
        pass


async def normalised(conn: Connection, declared: Definition) -> Definition:
    """The same definition in Postgres' words. Raises ConfigError naming the table whose SQL is not valid."""
    found = Definition()
    async with _undone(conn):
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await conn.execute(f"CREATE SCHEMA {SCHEMA}")
        path = await conn.fetchval("SELECT current_setting('search_path')")
        await conn.execute("SELECT set_config('search_path', $1, true)", f"{SCHEMA}, {path}")
        for enumeration in declared.enumerations.values():
            await _run(conn, f'Enumeration "{enumeration.name}"', ddl.create_enumeration(enumeration))
        for table in declared.tables.values():
            await _make(conn, table)
        found = await read_definition(conn, SCHEMA)
    tables = {name: _completed(found.tables[name], table) for name, table in declared.tables.items()}
    return Definition(tables=tables, enumerations=declared.enumerations, ignore=declared.ignore)


async def _make(conn: Connection, table: Table) -> None:
    await _run(conn, f'Table "{table.name}"', ddl.create_table(table))
    for index in table.indexes:
        await _run(conn, f'Table "{table.name}", index on {index.definition}', ddl.create_index(table.name, index))


async def _run(conn: Connection, what: str, statement: str) -> None:
    try:
        await conn.execute(statement)
    except asyncpg.PostgresError as error:
        hint = f" {error.hint}" if getattr(error, "hint", None) else ""
        raise ConfigError(f"{what}: {error.args[0]}.{hint}\n{statement}") from None


def _completed(read: Table, declared: Table) -> Table:
    """What was read, with what cannot be read back: foreign keys, hints, comments, and names that the author gave."""
    columns = {
        name: replace(
            read.columns[name], comment=declared.columns[name].comment, renamed_from=declared.columns[name].renamed_from
        )
        for name in declared.columns
    }
    given = {unique.name for unique in declared.uniques}
    given |= {check.name for check in declared.checks} | {index.name for index in declared.indexes}
    return replace(
        read,
        columns=columns,
        key_name=None,
        uniques=tuple(each if each.name in given else replace(each, name=None) for each in read.uniques),
        checks=tuple(each if each.name in given else replace(each, name=None) for each in read.checks),
        indexes=tuple(each if each.name in given else replace(each, name=None) for each in read.indexes),
        foreign_keys=declared.foreign_keys,
        comment=declared.comment,
        renamed_from=declared.renamed_from,
        rows=0,
    )
