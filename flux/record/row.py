"""One finished execution as one tuple of PostgreSQL's binary COPY format.

The worker that ran the execution encodes the tuple, so that the master only joins bytes. `COLUMNS` is the order of the
fields here and in every COPY; the table itself is made by `flux/store/migrations`.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["http", "job", "invoke", "replay", "rehearsal"]

COLUMNS = (
    "request_id",
    "parent_request_id",
    "replay_of",
    "kind",
    "tenant",
    "method",
    "path",
    "route",
    "function",
    "code_version",
    "status",
    "error",
    "started_at",
    "duration_us",
    "seed",
    "request",
    "input",
    "output",
    "spans",
    "logs",
)

# PostgreSQL counts timestamps in microseconds from 2000-01-01 UTC.
POSTGRES_EPOCH_US = 946_684_800_000_000

_NULL = struct.pack(">i", -1)
_COUNT = struct.pack(">h", len(COLUMNS))
_length = struct.Struct(">i").pack
_length_at = struct.Struct(">i").unpack_from
_status = struct.Struct(">ih").pack
_bigint = struct.Struct(">iq").pack


class ExecutionRow(NamedTuple):
    """The columns of `flux.executions`. JSON columns hold JSON text in UTF-8; IDs are 16 bytes; times are in µs.

    A named tuple: one is made for every execution, and a frozen dataclass costs five times as much.
    """

    request_id: bytes
    parent_request_id: bytes | None
    replay_of: bytes | None
    kind: Kind
    tenant: str | None
    method: str
    path: str
    route: str
    function: str | None
    code_version: str | None
    status: int
    error: bytes | None
    started_us: int
    duration_us: int
    seed: bytes | None
    request: bytes | None
    input: bytes | None
    output: bytes | None
    spans: bytes
    logs: bytes | None


def _field(value: bytes | None) -> bytes:
    return _NULL if value is None else _length(len(value)) + value


def _text(value: str | None) -> bytes:
    # Postgres' text holds no NUL; a row that it refuses would be a trace that cannot be shown.
    return _NULL if value is None else _field(value.replace("\0", "\ufffd").encode("utf-8", "replace"))


@lru_cache(4096)
def _texts(values: tuple[str | None, ...]) -> bytes:
    """The columns from `kind` to `code_version`: the same for most requests of a route."""
    return b"".join(map(_text, values))


def encode(row: ExecutionRow) -> bytes:
    """The tuple in binary COPY format, without the file's header and trailer."""
    return b"".join(
        (
            _COUNT,
            _field(row.request_id),
            _field(row.parent_request_id),
            _field(row.replay_of),
            _texts(row[3:10]),
            _status(2, row.status),
            _field(row.error),
            _bigint(8, row.started_us - POSTGRES_EPOCH_US),
            _bigint(8, row.duration_us),
            _field(row.seed),
            _field(row.request),
            _field(row.input),
            _field(row.output),
            _field(row.spans),
            _field(row.logs),
        )
    )


def decode(row: bytes) -> dict[str, bytes | None]:
    """The fields of an encoded tuple by column, each as Postgres' binary format has it."""
    fields: dict[str, bytes | None] = {}
    at = 2
    for column in COLUMNS:
        (length,) = _length_at(row, at)
        at += 4
        if length < 0:
            fields[column] = None
        else:
            fields[column] = row[at : at + length]
            at += length
    return fields
