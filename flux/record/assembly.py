"""From journal entries, in the order of a ring, to rows: finished executions as they end, unfinished ones on demand.

Pure: positions go in, positions come out. An entry's space in the ring may be freed once everything up to it is stored;
an execution that is still open holds back everything from its first entry on, unless its entries have been spilled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..ipc.wire import JournalKind
from .execution import Ending, error_json, row
from .head import Head, unpack
from .journal import Journal

Entry = tuple[int, bytes]  # kind, payload
Why = tuple[str, str, int]  # code, message, HTTP status


@dataclass(slots=True)
class OpenExecution:
    """`position` is where in the ring its first entry that is not yet spilled starts."""

    position: int
    entries: list[Entry] = field(default_factory=list)
    spilled: int = 0


class Assembly:
    """The open executions of one journal ring."""

    def __init__(self) -> None:
        self.open: dict[bytes, OpenExecution] = {}

    def take(self, records: Iterable[tuple[int, bytes, bytes, int]], start: int) -> list[bytes]:
        """Feeds (kind, execution, payload, end position) read from `start` on; returns the rows of those that ended."""
        rows = []
        for kind, execution, payload, end in records:
            if kind == JournalKind.END:
                self.open.pop(execution, None)
                rows.append(payload)
            else:
                entry = self.open.get(execution)
                if entry is None:
                    entry = self.open[execution] = OpenExecution(start)
                entry.entries.append((kind, payload))
            start = end
        return rows

    def release_point(self, taken: int) -> int:
        """Up to here the ring may be freed once the rows returned so far are stored."""
        return min(
            (entry.position for entry in self.open.values() if entry.spilled < len(entry.entries)), default=taken
        )

    def spill(self, before: int, taken: int) -> list[tuple[bytes, int, int, bytes]]:
        """Entries (execution, number, kind, payload) that only the ring holds, of executions opened before `before`."""
        spilled = []
        for execution, entry in self.open.items():
            if entry.position < before:
                for number in range(entry.spilled, len(entry.entries)):
                    kind, payload = entry.entries[number]
                    spilled.append((execution, number, kind, payload))
                entry.spilled = len(entry.entries)
                entry.position = taken
        return spilled

    def restore(self, spilled: Iterable[tuple[bytes, int, int, bytes]]) -> None:
        """Takes back what `spill` gave, before the ring's own records are taken."""
        for execution, _, kind, payload in spilled:
            entry = self.open.setdefault(execution, OpenExecution(0))
            entry.entries.append((kind, payload))
            entry.spilled = len(entry.entries)

    def close(self, execution: bytes, why: Why, cap: int) -> bytes | None:
        """The row of an execution that will never end, from what it had written; None when its head is missing."""
        entry = self.open.pop(execution, None)
        return None if entry is None else close_unfinished(execution, entry.entries, why, cap)


def close_unfinished(
    execution: bytes, entries: Sequence[Entry], why: Why, cap: int, *, now_us: int | None = None
) -> bytes | None:
    """The end is `now_us` (CLOCK_MONOTONIC) when given, else the time of the last entry."""
    head: Head | None = None
    body = b""
    journal = Journal(cap)
    for kind, payload in entries:
        if kind == JournalKind.BEGIN:
            head, body = unpack(payload)
        else:
            journal.absorb(payload)
    if head is None:
        return None
    code, message, status = why
    last = max((span.start_us + span.duration_us for span in journal.spans.values()), default=head.entry_us)
    ending = Ending(
        status=status,
        error=error_json(code, message),
        output=None,
        function_start_us=head.entry_us,
        end_us=last if now_us is None else max(last, now_us - head.monotonic_us),
    )
    return row(execution, head, body or None, journal, ending)
