"""What the dispatcher moves: a piece of work for some worker."""

from __future__ import annotations

from typing import NamedTuple


class Work(NamedTuple):
    """`head` is a packed `flux.record.head.Head`; `private` (JSON) never enters a record."""

    request_id: bytes
    head: bytes
    body: bytes | None = None
    private: bytes = b""
