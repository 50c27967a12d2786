"""What the master knows of an execution before a worker runs it, and how that travels.

On the wire: 32 bytes of seed, then three lines of JSON (fields, decisions, request). The worker parses the first line
only; the other two go into the row, and the third into the isolate, as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .row import Kind

SEED_BYTES = 32


class Head(NamedTuple):
    """Nothing in here is secret: it is all recorded.

    `started_us` is wall time since 1970, `monotonic_us` the same instant on CLOCK_MONOTONIC, which all processes of a
    machine share. `entry_us` is how long the gateway (or the queue) took, `decisions` (JSON object) what it decided.
    `request` is the JSON of {"method", "url", "path", "headers", "params", "query", "user"?} with secrets redacted.
    `user` is who calls, as `ctx.user` has it: {"id", "role", further claims}, or None.
    """

    kind: Kind
    parent: str | None
    replay_of: str | None
    tenant: str | None
    user: Mapping[str, Any] | None
    method: str
    path: str
    route: str
    function: str
    version: str
    started_us: int
    monotonic_us: int
    entry_us: int
    traceparent: str | None
    decisions: bytes
    request: bytes
    seed: bytes

    def pack(self) -> bytes:
        return b"%b%b\n%b\n%b" % (self.seed, orjson.dumps(self[:-3]), self.decisions, self.request)


def unpack(wire: bytes) -> tuple[Head, bytes]:
    """The head, and what follows it behind a further line feed (the body of a journal's BEGIN)."""
    fields, decisions, request, *rest = wire[SEED_BYTES:].split(b"\n", 3)
    head = Head._make((*orjson.loads(fields), decisions, request, wire[:SEED_BYTES]))
    return head, rest[0] if rest else b""
