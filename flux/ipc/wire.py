"""What travels through the rings: kinds of records and the packing of those that are more than plain JSON.

Packing returns parts, which the ring copies to shared memory one after the other, so that a body is never joined to its
head first. Unpacking slices the one payload that the ring handed out.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from flux.ipc.errors import WireInvalid

Parts = tuple[bytes, ...]

# u32 bytes of head, u32 bytes of secret, u8 whether there is a body (none and empty are different requests)
_REQUEST = struct.Struct("<IIB")
# u16 HTTP status, u32 bytes of headers
_RESULT = struct.Struct("<HI")


class RequestKind(IntEnum):
    """Requests ring, master to worker."""

    REQUEST = 1
    """Run a function: `pack_request`."""
    INVOKE_ANSWER = 2
    """The outcome of an INVOKE."""
    MANIFEST = 4
    """The functions to serve from now on, JSON."""
    DRAIN = 5
    """Finish what is in flight and end."""


class ResultKind(IntEnum):
    """Results ring, worker to master."""

    RESULT = 1
    """An execution has ended: `pack_result`."""
    INVOKE = 2
    """A function calls another one; the master runs it as an execution of its own."""
    NUDGE = 3
    """The queue has new jobs."""
    HEARTBEAT = 4
    READY = 5
    """The manifest is loaded."""
    HURRY = 6
    """The journal fills up: it should be stored now, before its time."""


class JournalKind(IntEnum):
    """Journal ring, worker to master; the tag is the execution's ID."""

    BEGIN = 1
    ENTRY = 2
    """An entry of the execution's journal: a host call, its answer, a log line, a span (`flux.record.journal`)."""
    END = 5
    """The finished execution as one row (`flux.record.row`)."""


def pack_request(head: bytes, body: bytes | None, secret: bytes) -> Parts:
    """Parts of a REQUEST.

    `head`: JSON that may be recorded; `secret`: JSON with what must not be; `body`: as it came, None = no body.
    """
    prefix = _REQUEST.pack(len(head), len(secret), body is not None)
    return (prefix, head, secret) if body is None else (prefix, head, secret, body)


def unpack_request(payload: bytes) -> tuple[bytes, bytes, bytes | None]:
    """(head, secret, body). WireInvalid when the lengths do not add up."""
    try:
        head_length, secret_length, has_body = _REQUEST.unpack_from(payload)
    except struct.error as error:
        raise WireInvalid(f"a request of {len(payload)} bytes has no prefix") from error
    secret_at = _REQUEST.size + head_length
    body_at = secret_at + secret_length
    if body_at > len(payload) or has_body > 1 or (not has_body and body_at != len(payload)):
        raise WireInvalid(f"a request of {len(payload)} bytes claims {head_length} + {secret_length} before its body")
    return payload[_REQUEST.size : secret_at], payload[secret_at:body_at], payload[body_at:] if has_body else None


def pack_result(status: int, headers: bytes, body: bytes) -> Parts:
    """Parts of a RESULT. `headers`: JSON, or b"" for none beyond the usual ones."""
    return _RESULT.pack(status, len(headers)), headers, body


def unpack_result(payload: bytes) -> tuple[int, bytes, bytes]:
    """(status, headers, body). WireInvalid when the lengths do not add up."""
    try:
        status, headers_length = _RESULT.unpack_from(payload)
    except struct.error as error:
        raise WireInvalid(f"a result of {len(payload)} bytes has no prefix") from error
    body_at = _RESULT.size + headers_length
    if body_at > len(payload):
        raise WireInvalid(f"a result of {len(payload)} bytes claims {headers_length} bytes of headers")
    return status, payload[_RESULT.size : body_at], payload[body_at:]
