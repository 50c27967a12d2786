"""Policies of tables that have been renamed: who renames a table does not mean to open it to everybody.

`documents` reads them under the names of now, so that they hold from the moment in which the table has its new name;
`follow` writes that down, which happens at start, with migrations, and when the watch over DDL finds it. Where a table
without a policy has taken the old name meanwhile, the policy holds for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux.data.policy.document import Document
from flux.data.schema.model import Schema
from flux.store.pool import Connection
from flux.store.sql import statement

_MOVE = """
UPDATE flux.policies
SET table_name = $2, version = version + (SELECT coalesce(max(version), 0) FROM flux.policies WHERE table_name = $2)
WHERE table_name = $1
"""
_COPY = """
INSERT INTO flux.policies (table_name, version, document, source, active, created_by, relation)
SELECT $2, (SELECT coalesce(max(version), 0) + 1 FROM flux.policies WHERE table_name = $2), document, source, true,
    created_by, relation
FROM flux.policies WHERE table_name = $1 AND active
"""
_NOTE = """
UPDATE flux.policies SET relation = to_regclass(quote_ident(table_name))
WHERE active AND to_regclass(quote_ident(table_name)) IS DISTINCT FROM relation
    AND to_regclass(quote_ident(table_name)) IS NOT NULL
"""
# Its table is under another policy now, with which it goes on: two must not follow one table.
_FORGET = """
UPDATE flux.policies AS other SET relation = NULL
FROM flux.policies AS own
WHERE other.active AND own.active AND own.relation = other.relation AND own.table_name <> other.table_name
    AND to_regclass(quote_ident(own.table_name)) = own.relation
"""


async def documents(conn: Connection, active: Mapping[str, Any], schema: Schema) -> dict[str, Document]:
    """The documents of the active policies by the names that their tables have now."""
    found = {table: policy.document for table, policy in active.items()}
    for table, now in (await _renamed(conn)).items():
        if table not in active:  # an other one since `active` was read
            continue
        found[now] = active[table].document
        if table not in schema.tables:
            found.pop(table, None)
    return found


async def follow(conn: Connection, schema: Schema) -> list[str]:
    """Notes the names that the tables have now; what there is to tell, in lines. Needs a transaction with the lock."""
    renamed = await _renamed(conn)
    kept = {table for table in renamed if table in schema.tables and table not in renamed.values()}
    moved = renamed.keys() - kept
    for table in moved:  # out of each other's way first: tables may have exchanged their names
        await conn.execute(_MOVE, table, _between(table))
    for table in kept:
        await conn.execute(_COPY, table, renamed[table])
    for table in moved:
        await conn.execute(_MOVE, _between(table), renamed[table])
    await conn.execute(_NOTE)
    await conn.execute(_FORGET)
    return [f"{now}: was {table}, whose policy stays in force for it" for table, now in renamed.items()]


async def _renamed(conn: Connection) -> dict[str, str]:
    """Not to the name of a policy that stays: that one holds there, and the table is under it from now on."""
    rows = await conn.fetch(statement("policies_renamed"))
    found = {row["table"]: row["now"] for row in rows}
    taken = {row["now"] for row in rows if row["taken"]}
    while staying := [table for table, now in found.items() if now in taken and now not in found]:
        for table in staying:  # and so does one that would have made way for it
            del found[table]
    return found


def _between(table: str) -> str:
    """Longer than a table's name can be."""
    return f"{table:~>64}"
