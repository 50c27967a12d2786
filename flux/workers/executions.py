"""The executions in flight in one worker: what isolates say reaches them, and their answers leave.

What to read first: `on_events` (what isolates say), `ended` (an answer's way out). An answer follows the row of its
execution, never the other way round: whatever a caller was told is in shared memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..build.sourcemap import Frame, frames, map_of, map_stack
from ..errors import FluxError, Timeout
from ..ipc.wire import JournalKind
from ..record.execution import uuid_text
from .events import deliver
from .execution import Execution
from .isolate.isolate import Event
from .isolate.protocol import Loaded
from .journal_writer import JournalWriter
from .result_writer import ResultWriter
from .tasks import Tasks

log = logging.getLogger("flux.worker")

LATE_S: Final = 0.02  # how late a time limit may strike


class Executions:
    """`in_flight` is by the execution's number. `left` is called after each that has ended."""

    def __init__(
        self, *, builds: Path, journal: JournalWriter, results: ResultWriter, tasks: Tasks, left: Callable[[], None]
    ) -> None:
        self.in_flight: dict[int, Execution] = {}
        self._builds = builds
        self._journal = journal
        self._results = results
        self._tasks = tasks
        self._left = left
        self._loop = asyncio.get_running_loop()

    def on_events(self, events: list[Event]) -> None:
        in_flight = self.in_flight
        for event in events:
            if isinstance(event, Loaded):  # the isolate keeps these to itself
                continue
            execution = in_flight.get(event.execution)
            if execution is not None and not execution.over:
                try:
                    deliver(event, execution, self.frames)
                except Exception:  # a fault of ours costs this execution, not the others of the batch
                    log.exception("execution %s failed inside Flux", uuid_text(execution.request_id))
                    execution.fail_with(FluxError())

    def frames(self, version: str) -> Callable[[str], list[Frame]]:
        """What turns a stack of V8's, in the bundle of this version, into frames of the source."""
        # What has no stack comes from no code, as in a data route, which has no map either.
        return lambda stack: frames(map_stack(stack, map_of(self._builds, version))) if stack else []

    def ended(self, execution: Execution, status: int, headers: bytes, body: bytes, row: bytes | None) -> None:
        """Takes leave of an execution: its row (None: unrecorded), then its answer."""
        del self.in_flight[execution.number]
        in_ring = row is None or self._journal.write(JournalKind.END, execution.request_id, row)
        if in_ring:
            self._results.answer(execution.request_id, status, headers, body)
        else:
            self._tasks.spawn(self._answer_later(execution.request_id, status, headers, body))
        host, execution.host = execution.host, None  # they refer to each other: garbage that only a scan would find
        if host is not None and not host.holds_nothing:
            self._tasks.spawn(host.close())
        self._left()

    async def _answer_later(self, request_id: bytes, status: int, headers: bytes, body: bytes) -> None:
        await self._journal.flushed()
        self._results.answer(request_id, status, headers, body)

    def end_late(self) -> None:
        """Ends executions whose time is over, from now on.

        One timer for all: a timer for each costs more than it is worth.
        """
        now_us = time.monotonic_ns() // 1000
        for execution in [late for late in self.in_flight.values() if late.out_of_time(now_us)]:
            execution.fail_with(Timeout())
        self._loop.call_later(LATE_S, self.end_late)
