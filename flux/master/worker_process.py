"""One worker process as its master sees it.

Its life, as a table:

    state       next        when
    starting    ready       its READY came over the results ring
    ready       draining    a rolling reload replaced it, or the server stops
    any         dead        the mold reported its exit (or it was killed for a missed heartbeat)
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any, Literal

from .dispatcher import Lane

HEARTBEAT_LIMIT_S = 15.0  # a worker's loop that is silent for so long does not serve anybody
YOUNG_S = 1.0
READY_LIMIT_S = 30.0

State = Literal["starting", "ready", "draining", "dead"]
LIVING: frozenset[State] = frozenset(("starting", "ready"))


@dataclasses.dataclass(slots=True, eq=False)
class WorkerProcess:
    """`ready_at` and `heard_at` are times of time.monotonic(), as is the `now` of its methods."""

    index: int
    generation: int
    lane: Lane
    control: socket.socket
    pid: int = 0
    state: State = "starting"
    ready_at: float = 0.0
    heard_at: float = 0.0
    report: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ready: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)  # or dead before it was
    gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def young(self, now: float) -> bool:
        """Not ready yet, or for less than `YOUNG_S`: should it be dead, it failed to start."""
        return self.state == "starting" or now - self.ready_at < YOUNG_S

    def silent(self, now: float) -> bool:
        """It should have said something by now."""
        limit = HEARTBEAT_LIMIT_S if self.state == "ready" else READY_LIMIT_S
        return self.pid != 0 and self.state in LIVING and now - self.heard_at > limit

    def kill(self) -> None:
        if not self.pid:  # not forked yet; and 0 would mean this process and all its group
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def exit_text(status: int) -> str:
    return f"exit code {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
