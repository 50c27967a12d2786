"""The triggers that ask what policies want of a row before Postgres looks at its keys (flux/data/compiler/late.py)."""

from __future__ import annotations

from typing import Final

import asyncpg

from flux.data.compiler import may_be_late
from flux.data.compiler.late import SETTING
from flux.data.policy.model import Policies
from flux.data.policy.rls.condition import name
from flux.data.schema.model import Schema, Table

from .pool import Connection

# Triggers fire in the order of their names. Also in introspect.sql and events.sql.
TRIGGER: Final = "~flux_check"
LOCK_TIMEOUT_MS = 2000

_VEILED = (
    "Flux may not make a trigger on {}, so that writes which its policy refuses and writes that break a unique key get "
    "one and the same answer, FORBIDDEN_ROW. (Flux' user must own the table, or be a member of its owner's role.)"
)


async def apply(conn: Connection, schema: Schema, policies: Policies) -> list[str]:
    """Makes them where policies need them, takes them away elsewhere, and says where it may not. Cheap when nothing has
    changed. Raises asyncpg.LockNotAvailableError.
    """
    rows = await conn.fetch(
        "SELECT tgrelid::bigint AS relation, tgrelid::regclass::text AS name FROM pg_catalog.pg_trigger "
        "WHERE tgname = $1 AND tgparentid = 0",
        TRIGGER,
    )
    there = {row["relation"]: row["name"] for row in rows}
    wanted = {table.oid: table for table in needed(schema, policies)}
    for relation in there.keys() - wanted.keys():
        await _change(conn, f"DROP TRIGGER {name(TRIGGER)} ON {there[relation]}")
    missing = [wanted[relation] for relation in sorted(wanted.keys() - there.keys())]
    return [_VEILED.format(table.name) for table in missing if not await _change(conn, make(table))]


def needed(schema: Schema, policies: Policies) -> list[Table]:
    """The tables that should have one."""
    found = [(schema.tables.get(table), policy) for table, policy in policies.tables.items()]
    return [
        table
        for table, policy in found
        if table is not None and table.kind in ("table", "partitioned") and may_be_late(table, policy)
    ]


def make(table: Table) -> str:
    """The statement that makes a table's."""
    return (
        f"CREATE TRIGGER {name(TRIGGER)} BEFORE INSERT OR UPDATE ON {name(table.schema)}.{name(table.name)} "
        f"FOR EACH ROW WHEN (current_setting('{SETTING}', true) <> '') EXECUTE FUNCTION flux.check_row()"
    )


async def _change(conn: Connection, statement: str) -> bool:
    """False when Flux may not."""
    try:
        async with conn.transaction():
            await conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            await conn.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True
