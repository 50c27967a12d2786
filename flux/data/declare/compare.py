"""Declared against actual, in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from flux.errors import ConfigError

from .change import Change
from .diff import diff
from .model import Definition
from .read import read_definition
from .shadow import normalised

if TYPE_CHECKING:
    from flux.store.pool import Connection


async def compare(conn: Connection, declared: Definition) -> list[Change]:
    """What has to change in the schema that tables without one are made in. Changes nothing.

    Raises ConfigError when the declaration is not valid SQL, or the role may not make the schema it is tried out in.
    """
    schema = await conn.fetchval("SELECT current_schema()")
    if schema is None:
        raise ConfigError(
            "The search path of this database role names no schema that exists: there is none to compare."
        )
    try:
        wanted = await normalised(conn, declared)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigError(
            f"To compare, a schema is made and rolled back; this role may not: {error}. "
            "GRANT CREATE ON DATABASE ... TO it, or use the owner's role."
        ) from None
    return diff(wanted, await read_definition(conn, schema))
