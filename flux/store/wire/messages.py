"""Messages of Postgres' protocol 3, extended query: what is sent, and what comes back. Without I/O.

Everything travels in text format. An answer is one column a row, which is what the statements of the data engine
have: their rows are JSON already.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

# A backend that sends more than this in one message has lost its way, or we have.
MAX_MESSAGE_BYTES = 1 << 30

_length = struct.Struct(">i").pack
_count = struct.Struct(">h").pack
_header = struct.Struct(">BI").unpack_from
_NULL = _length(-1)
_EXECUTE_AND_SYNC = b"E" + _length(9) + b"\0" + _length(0) + b"S" + _length(4)
_SYNC = b"S" + _length(4)

TERMINATE = b"X" + _length(4)

_ROW, _COMPLETE, _READY, _ERROR, _PARSED = b"DCZE1"


@dataclass(slots=True, eq=False)
class Reply:
    """What one statement brought: the first column of its rows (None = NULL), or the fields of its error.

    `parsed`: its text was prepared, whatever became of it then.
    """

    rows: list[bytes | None] = field(default_factory=list)
    error: dict[str, str] | None = None
    tag: bytes = b""
    parsed: bool = False


def parse(name: bytes, statement: str) -> bytes:
    """Prepares `statement` under `name` (empty: until the next one without a name)."""
    body = name + b"\0" + statement.encode() + b"\0\0\0"
    return b"P" + _length(len(body) + 4) + body


def execute(name: bytes, parameters: Sequence[bytes | None]) -> bytes:
    """Binds, runs and ends the implicit transaction. Parameters are texts."""
    parts = [b"\0", name, b"\0\0\0", _count(len(parameters))]
    for value in parameters:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_length(len(value)))
            parts.append(value)
    parts.append(b"\0\0")
    body = b"".join(parts)
    return b"B" + _length(len(body) + 4) + body + _EXECUTE_AND_SYNC


def close(name: bytes) -> bytes:
    """Forgets a prepared statement."""
    body = b"S" + name + b"\0"
    return b"C" + _length(len(body) + 4) + body + _SYNC


class ProtocolViolation(ValueError):
    """The server sent what this protocol does not have."""


class Reader:
    """Takes bytes as they come, gives replies as they are complete: one per Sync, in the order of the statements."""

    def __init__(self) -> None:
        self._rest = b""
        self._reply = Reply()

    def feed(self, data: bytes) -> list[Reply]:
        """Raises ProtocolViolation, after which the connection is of no use."""
        if self._rest:
            data = self._rest + data
        replies: list[Reply] = []
        reply, at, size = self._reply, 0, len(data)
        while size - at >= 5:
            kind, length = _header(data, at)
            end = at + 1 + length
            if not 4 <= length <= MAX_MESSAGE_BYTES:
                raise ProtocolViolation(f"a message of {length} bytes")
            if end > size:
                break
            if kind == _ROW:
                reply.rows.append(_first_column(data, at + 5))
            elif kind == _READY:
                replies.append(reply)
                reply = self._reply = Reply()
            elif kind == _COMPLETE:
                reply.tag = data[at + 5 : end - 1]
            elif kind == _PARSED:
                reply.parsed = True
            elif kind == _ERROR:
                reply.error = _fields(data[at + 5 : end])
            at = end
        self._rest = data[at:]
        return replies

    @property
    def farewell(self) -> dict[str, str] | None:
        """The server's last words, after which it closes the connection."""
        error = self._reply.error
        return error if error is not None and error.get("V") in ("FATAL", "PANIC") else None


def _first_column(data: bytes, at: int) -> bytes | None:
    # two bytes of count, then length and value of the first
    length = int.from_bytes(data[at + 2 : at + 6], "big", signed=True)
    return None if length < 0 else data[at + 6 : at + 6 + length]


def _fields(body: bytes) -> dict[str, str]:
    return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
