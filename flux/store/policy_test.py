"""Whether one row passes a policy for one caller: the condition is executed, on the row as it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flux.data.policy.explain import written
from flux.data.policy.model import Caller, Operation, Policies
from flux.data.policy.rls.condition import Writer, name
from flux.data.policy.rls.token import token
from flux.data.schema.model import Schema, Table
from flux.failure import invalid
from flux.store.pool import Connection
from flux.store.protection import read_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """`found`: there is such a row. `visible`: the caller may see or touch it; `valid`: it is as what the caller writes
    must be. Both None without a row or without a grant.
    """

    found: bool
    visible: bool | None
    valid: bool | None


async def check_row(
    conn: Connection, schema: Schema, policies: Policies, table: str, operation: Operation, caller: Caller, id_: Any
) -> Tested:
    """`id_`: the key's value, or an object of them. Raises 400 UNKNOWN_TABLE, INVALID_ARGUMENT."""
    found = schema.table(table)
    values = _key(found, id_)
    grant = policies.grant(table, caller.role, operation)
    where, check = "NULL::boolean", "NULL::boolean"
    if grant is not None:
        writer = Writer(schema=schema, policies=policies, role=caller.role, inline=True)
        where = f"({writer.write(grant.where, found, 'r')}) IS TRUE"
        check = f"({writer.write(written(grant, operation), found, 'r')}) IS TRUE"
    keys = " AND ".join(f"r.{name(column)}::text = ${number}" for number, column in enumerate(values, start=1))
    query = f"SELECT {where}, {check} FROM {name(found.schema)}.{name(found.name)} AS r WHERE {keys}"  # noqa: S608 (quoted names, parsed conditions)
    async with conn.transaction(readonly=True):
        pid = await conn.fetchval("SELECT pg_backend_pid()")
        signed = token(caller, pid=pid, key=await read_key(conn), now=time.time())
        await conn.execute("SELECT flux_auth.enter($1)", signed)
        row = await conn.fetchrow(query, *values.values())
    return Tested(found=row is not None, visible=row[0] if row else None, valid=row[1] if row else None)


def _key(table: Table, id_: Any) -> dict[str, str]:
    """Values as text by column of the primary key."""
    given = id_ if isinstance(id_, dict) else {table.key[0]: id_} if len(table.key) == 1 else {}
    if not table.key:
        raise invalid(f'Table "{table.name}" has no primary key, by which a row could be named.')
    if set(given) != set(table.key) or not all(isinstance(value, str | int | float) for value in given.values()):
        raise invalid(f"The key is an object with {', '.join(table.key)}.")
    return {column: str(given[column]) for column in table.key}
