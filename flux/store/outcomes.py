"""Corrections of rows that say more than the caller got."""

from __future__ import annotations

from collections.abc import Sequence

from flux.store.pool import Connection

# An execution that had ended when its worker was killed, but whose result never left: the caller was told otherwise.
MARK_UNDELIVERED = """
UPDATE flux.executions
   SET error = json_build_object('code', $2::text, 'message', $3::text, 'computed_status', status), status = $4
 WHERE request_id = ANY ($1::uuid[]) AND status <> $4
"""


async def mark_undelivered(
    connection: Connection, executions: Sequence[bytes], code: str, message: str, status: int
) -> None:
    """Sets what the callers of `executions` (16-byte IDs) were told, where the row says something else."""
    await connection.execute(MARK_UNDELIVERED, [execution.hex() for execution in executions], code, message, status)
