"""Writing the record: tuples that the workers have encoded go to Postgres as they are, joined, by binary COPY.

Guarantees. When a function here returns, every row given is committed: in flux.executions or, when Postgres will not
have it there, byte for byte in flux.refused_rows. When it raises, some, all or none may be: call `copy_rows_once` with
the same rows on a new connection. One bad row costs its batch a few more round trips, never its neighbours.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from flux.record.row import COLUMNS, POSTGRES_EPOCH_US
from flux.store.partitions import ensure_days
from flux.store.pool import Connection

_log = logging.getLogger(__name__)

# Signature, flags, length of the header's extension; then tuples; then a tuple count of -1.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# One message of the protocol, held in memory on both sides. Larger batches are streamed in pieces of about this size.
MESSAGE_BYTES = 1 << 20
# What a row can cause: bad data, constraints (a missing partition is one), limits (JSON nested too deep), framing.
ROW_ERRORS = ("22", "23", "54", "08P01")
NO_PARTITION = "23514"
DUPLICATE = "23505"

_STARTED_AT = COLUMNS.index("started_at")
_length_at = struct.Struct(">i").unpack_from
_bigint_at = struct.Struct(">q").unpack_from

Write = Callable[[Connection, Sequence[bytes]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A row that is not in the record but in flux.refused_rows. `request_id` is 16 bytes."""

    request_id: bytes
    reason: str


async def copy_rows(conn: Connection, rows: Sequence[bytes]) -> list[Refused]:
    """Store new executions; those that Postgres refused. Not inside a transaction."""
    return await _store(conn, rows, _copy)


async def copy_rows_once(conn: Connection, rows: Sequence[bytes]) -> list[Refused]:
    """The same for rows that may be there already, which are recognised by request_id and started_at and skipped."""
    return await _store(conn, rows, _copy_once)


async def _store(conn: Connection, rows: Sequence[bytes], write: Write) -> list[Refused]:
    assert not conn.is_in_transaction(), "a refused row would abort the caller's transaction"
    refused: list[Refused] = []
    pending: list[tuple[Sequence[bytes], Write]] = [(rows, write)] if rows else []
    while pending:
        part, write = pending.pop()
        try:
            await write(conn, part)
        except asyncpg.PostgresError as error:
            if not (error.sqlstate or "").startswith(ROW_ERRORS):
                raise
            if error.sqlstate == NO_PARTITION and await ensure_days(conn, _days(part)):
                pending.append((part, write))
            elif error.sqlstate == DUPLICATE and write is not _copy_once:
                pending.append((part, _copy_once))
            elif len(part) == 1:
                refused.append(await _keep(conn, part[0], error))
            else:
                middle = len(part) // 2
                pending += [(part[middle:], write), (part[:middle], write)]
    return refused


async def _copy(
    conn: Connection, rows: Sequence[bytes], table: str = "executions", schema: str | None = "flux"
) -> None:
    # asyncpg takes `bytes` for a path; a memoryview it sends as one message (its stubs do not know), without a task per
    # piece.
    source: Any = _pieces(rows)
    if sum(map(len, rows)) <= MESSAGE_BYTES:
        source = memoryview(b"".join((HEADER, *rows, TRAILER)))
    await conn.copy_to_table(
        table,
        schema_name=schema,
        columns=COLUMNS,
        format="binary",
        source=source,
    )


async def _pieces(rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    piece, size = [HEADER], 0
    for row in rows:
        piece.append(row)
        size += len(row)
        if size >= MESSAGE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join((*piece, TRAILER))


async def _copy_once(conn: Connection, rows: Sequence[bytes]) -> None:
    async with conn.transaction():
        await conn.execute("CREATE TEMP TABLE arriving (LIKE flux.executions) ON COMMIT DROP")
        await _copy(conn, rows, "arriving", "pg_temp")
        await conn.execute("INSERT INTO flux.executions SELECT * FROM pg_temp.arriving ON CONFLICT DO NOTHING")


async def _keep(conn: Connection, row: bytes, error: asyncpg.PostgresError) -> Refused:
    reason = str(error)
    refused = Refused(request_id=row[6:22], reason=reason)
    await conn.execute(
        "INSERT INTO flux.refused_rows (digest, reason, tuple) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        hashlib.sha256(row).digest(),
        reason,
        row,
    )
    _log.error("Postgres refused the record of %s (kept in flux.refused_rows): %s", refused.request_id.hex(), reason)
    return refused


def _days(rows: Sequence[bytes]) -> set[date]:
    return {day for row in rows if (day := started_day(row)) is not None}


def started_day(row: bytes) -> date | None:
    """The UTC day on which an encoded execution started; None for a tuple that is not well formed."""
    at = 2
    try:
        for _ in range(_STARTED_AT):
            at += 4 + max(0, _length_at(row, at)[0])
        started_us = _bigint_at(row, at + 4)[0] + POSTGRES_EPOCH_US
        return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=started_us)).date()
    except (struct.error, OverflowError):
        return None
