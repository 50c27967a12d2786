"""Journal records of executions that are still open, kept in Postgres when the ring that held them needs the space."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flux.store.pool import Connection
from flux.store.sql import statement

# (execution_id: 16 bytes, position in the journal, kind of record, payload)
Record = tuple[bytes, int, int, bytes]


async def spill(conn: Connection, records: Sequence[Record], *, node: str = "") -> None:
    """Store records durably. Storing one again (same execution and position) changes nothing.

    `node` names the Flux instance that owns the executions: several may share one Postgres.
    """
    if not records:
        return
    ids, positions, kinds, payloads = zip(*records, strict=True)
    await conn.execute(statement("spill"), [UUID(bytes=id_) for id_ in ids], positions, kinds, payloads, node)


async def load_spilled(conn: Connection, *, node: str = "") -> list[Record]:
    """All records of this node's open executions, by execution and position."""
    rows = await conn.fetch(
        "SELECT execution_id, position, kind, payload FROM flux.open_records WHERE node = $1 ORDER BY 1, 2", node
    )
    return [(row[0].bytes, row[1], row[2], row[3]) for row in rows]


async def drop_spilled(conn: Connection, execution_ids: Sequence[bytes]) -> None:
    """Forget executions whose row is in the record now."""
    await conn.execute(
        "DELETE FROM flux.open_records WHERE execution_id = ANY($1)", [UUID(bytes=id_) for id_ in execution_ids]
    )
