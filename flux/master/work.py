"""What the dispatcher moves: a piece of work for some worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """`head` is the JSON text of a `flux.record.execution.Head`; `private` (JSON) never enters a record."""

    request_id: bytes
    head: bytes
    body: bytes | None = None
    private: bytes = b""
