"""Entries of a small execution, as a worker writes them."""

from __future__ import annotations

from flux.ipc.wire import JournalKind
from flux.record.head import Head
from flux.record.journal import FIRST_CALL, Journal

ID = bytes(range(16))
CAP = 1000

Record = tuple[int, bytes, bytes, int]


def head(**changes: object) -> Head:
    values: dict[str, object] = {
        "kind": "http",
        "parent": None,
        "replay_of": None,
        "tenant": "acme",
        "user": None,
        "method": "POST",
        "path": "/create_user",
        "route": "/create_user",
        "function": "create_user",
        "version": "f" * 64,
        "seed": bytes(32),
        "started_us": 1_700_000_000_000_000,
        "monotonic_us": 5_000,
        "entry_us": 300,
        "decisions": b'{"auth":"ok"}',
        "request": b'{"method":"POST","headers":[]}',
        "traceparent": None,
    }
    return Head(**{**values, **changes})  # type: ignore[arg-type]  # names and types are those above


def records(execution: bytes = ID) -> list[Record]:
    """BEGIN, a call that was answered, a log line, and a call that was not; each ends 100 further in the ring."""
    journal = Journal(CAP)
    entries = [
        (JournalKind.BEGIN, head().pack() + b'\n{"email":"a@b.co"}'),
        (JournalKind.ENTRY, journal.call(FIRST_CALL, 0, "db.findOne", b'{"table":"users"}', {"table": "users"}, 400)),
        (JournalKind.ENTRY, journal.answer(FIRST_CALL, True, b'{"id":1}', 900)),
        (JournalKind.ENTRY, journal.log("info", b'{"message":"found"}', 950)),
        (JournalKind.ENTRY, journal.call(FIRST_CALL + 1, 0, "sleep", b'{"ms":50}', {"ms": 50}, 1_000)),
    ]
    return [(int(kind), execution, payload, 100 * (n + 1)) for n, (kind, payload) in enumerate(entries)]
