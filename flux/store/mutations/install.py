"""Putting the triggers that record mutations on the team's tables, and off those that are left alone from now on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import asyncpg

from flux.store.pool import Connection

# In this order: each uses what those before it make.
_FILES = ("capture", "tables", "columns", "statements", "manage", "events", "reading")
_CODE = "\n".join(files("flux.data.mutation").joinpath(f"{name}.sql").read_text("utf-8") for name in _FILES)
_VERSION = hashlib.sha256(_CODE.encode()).hexdigest()[:16]

# Beside the locks of migrations and partitions; flux.manage holds it, too.
LOCK_KEY = 0x666C7876
# CREATE TRIGGER waits for writers of its table, and everybody else waits for it. What is busy comes with the next try.
LOCK_TIMEOUT_MS = 2000

EVENT_TRIGGERS = """
DROP EVENT TRIGGER IF EXISTS flux_mutation_ddl;
DROP EVENT TRIGGER IF EXISTS flux_mutation_drop;
CREATE EVENT TRIGGER flux_mutation_ddl ON ddl_command_end EXECUTE FUNCTION flux.on_ddl();
CREATE EVENT TRIGGER flux_mutation_drop ON sql_drop EXECUTE FUNCTION flux.on_drop();
"""

_HOME = "(SELECT oid || '/' || 'flux'::regnamespace::oid FROM pg_database WHERE datname = current_database())"
_SCHEMAS = "array_remove(current_schemas(false), 'flux')::text[]"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """`managed`: tables whose triggers were made or changed now; `problems`: why a table is not recorded, by name."""

    managed: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


async def install(conn: Connection, *, unmanaged: Sequence[str] = (), superuser: Connection | None = None) -> Installed:
    """Record changes of every table in the search path's schemas, except of those in `unmanaged`.

    Cheap when nothing has changed, so it can be called at each look at the schema. Each table is done in a transaction
    of its own: all at once would hold locks that two tables' writers take in another order. `superuser`: a connection
    to the same database that may make event triggers, if there is one.
    """
    await _prepare(conn, unmanaged)
    if superuser is not None:
        await install_event_triggers(superuser)
    await _forget(conn)
    managed = []
    for row in await conn.fetch("SELECT root, root::regclass::text AS name FROM flux.capture_pending ORDER BY root"):
        async with conn.transaction():
            await conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            obstacle = await conn.fetchval("SELECT flux.manage($1)", row["root"])
        if obstacle is None:
            managed.append(row["name"])
    problems = await conn.fetch(
        "SELECT schema || '.' || name AS name, problem FROM flux.managed_tables "
        "WHERE problem IS NOT NULL AND dropped_at IS NULL"
    )
    return Installed(managed=tuple(managed), problems={row["name"]: row["problem"] for row in problems})


async def install_event_triggers(conn: Connection) -> bool:
    """New and altered tables are then managed in the transaction that makes them, and DDL is noted. False: not allowed.

    `conn` is a superuser's. What `install` made before stays guarded until it is called again.
    """
    if await has_event_triggers(conn):
        return True
    try:
        async with conn.transaction():
            await conn.execute(EVENT_TRIGGERS)
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def has_event_triggers(conn: Connection) -> bool:
    """Whether somebody who may has made them."""
    query = "SELECT count(*) = 2 FROM pg_event_trigger WHERE evtname LIKE 'flux\\_mutation\\_%'"
    return bool(await conn.fetchval(query))


async def _prepare(conn: Connection, unmanaged: Sequence[str]) -> None:
    """Bring the functions up to date, and what they are set to."""
    if await _is_current(conn, unmanaged):
        return
    async with conn.transaction():
        await conn.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        if await _is_current(conn, unmanaged):
            return  # another node was faster
        if await conn.fetchval("SELECT code FROM flux.capture") != _VERSION:
            await conn.execute(_CODE)
        await conn.execute(
            f"UPDATE flux.capture SET code = $1, unmanaged = $2, schemas = {_SCHEMAS}",  # noqa: S608 (a constant)
            _VERSION,
            list(unmanaged),
        )


async def _is_current(conn: Connection, unmanaged: Sequence[str]) -> bool:
    return bool(
        await conn.fetchval(
            f"SELECT code = $1 AND unmanaged = $2 AND schemas = {_SCHEMAS} FROM flux.capture",  # noqa: S608 (a constant)
            _VERSION,
            list(unmanaged),
        )
    )


async def _forget(conn: Connection) -> None:
    """Note tables that were dropped, and take the triggers off those that are no longer to be managed."""
    # After a dump and restore all oids are others, and some now belong to other tables: names tell.
    if await conn.fetchval(f"UPDATE flux.capture SET home = {_HOME} WHERE home <> {_HOME} RETURNING true"):  # noqa: S608 (constants)
        await conn.execute("UPDATE flux.managed_tables SET relation = 0")
    await conn.execute(
        "UPDATE flux.managed_tables SET dropped_at = now() "
        "WHERE dropped_at IS NULL AND NOT EXISTS (SELECT FROM pg_class WHERE oid = relation)"
    )
    await conn.execute(
        """
        SELECT flux.unmanage(relation) FROM (
            SELECT DISTINCT tgrelid AS relation FROM pg_trigger
            WHERE tgname LIKE '!flux\\_mutation\\_%' AND tgparentid = 0
            EXCEPT SELECT unnest(relations) FROM flux.capturable) AS left_alone
        """
    )
