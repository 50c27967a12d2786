"""Policies of tables that have been renamed: who renames a table does not mean to open it to everybody.

`documents` reads them under the names of now, so that they hold from the moment in which the table has its new name;
`follow` writes that down, which happens at start, after migrations, and when the watch over DDL finds it. Where another
table has taken the old name meanwhile, the policy holds for both.
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


async def documents(conn: Connection, active: Mapping[str, Any], schema: Schema) -> dict[str, Document]:
    """The documents of the active policies by the names that their tables have now."""
    found = {table: policy.document for table, policy in active.items()}
    for row in await conn.fetch(statement("policies_renamed")):
        if row["table"] not in active:  # an other one since `active` was read
            continue
        found[row["now"]] = active[row["table"]].document
        if row["table"] not in schema.tables:
            found.pop(row["table"], None)
    return found


async def follow(conn: Connection, schema: Schema) -> list[str]:
    """Notes the names that the tables have now; what there is to tell, in lines. Needs a transaction with the lock."""
    told = []
    for row in await conn.fetch(statement("policies_renamed")):
        table, now = row["table"], row["now"]
        await conn.execute(_COPY if table in schema.tables else _MOVE, table, now)
        told.append(f"{now}: was {table}, whose policy stays in force for it")
    await conn.execute(_NOTE)
    return told
