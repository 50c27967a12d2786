"""CPU time: what each execution has used, and the watch over the step that runs.

The isolate's thread is measured by its own CPU clock, so neither a busy machine nor a slow database counts against a
function. A step that exceeds what its execution has left is terminated from the loop's thread, and again until it ends:
microtasks that it left behind get no more than the time between two looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ._bridge import NativeIsolate

# How often a running step is looked at (2 µs each). One that is over its limit dies this much later at worst.
TICK_S: Final = 0.005
# The shortest wait for the moment at which a step's time is used up: the loop has other things to do.
SHORTEST_S: Final = 0.0005
# A terminated step normally ends within a millisecond. One that goes on for this much CPU time is inside a builtin that
# V8 cannot interrupt, and ends with the process only.
WEDGED_CPU_NS: Final = 1_000_000_000
# The same, should the thread not even get CPU time.
WEDGED_S: Final = 10.0
# The module's top level may compute tables and the like before it serves anyone.
MODULE_CPU_MS: Final = 5_000
# Bits of a tag that count; the execution's number stands above them.
TAG_BITS: Final = 32

REASONS: Final = {1: "cpu", 2: "memory"}
CPU: Final = 1


class Watchdog:
    """Watches one isolate while it has steps to do. Not safe for threads: it belongs to the loop."""

    def __init__(
        self, native: NativeIsolate, cpu_ms: int, loop: asyncio.AbstractEventLoop, on_wedged: Callable[[], None]
    ) -> None:
        self._native = native
        self._limit_ns = cpu_ms * 1_000_000
        self._module_limit_ns = max(cpu_ms, MODULE_CPU_MS) * 1_000_000
        self._loop = loop
        self._on_wedged = on_wedged
        self._used_ns: dict[int, int] = {}
        self._steps = 0
        self._timer: asyncio.TimerHandle | None = None
        self._killed = 0  # tag
        self._killed_at = 0.0
        self._killed_cpu_ns = 0

    @property
    def idle(self) -> bool:
        return self._steps == 0

    def sent(self) -> None:
        """A message was posted."""
        self._steps += 1
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._look)

    def ended(self, execution: int, cpu_ns: int) -> bool:
        """A step is over; False when its execution has now used more than it may."""
        self._steps -= 1
        used = self._used_ns.get(execution, 0) + cpu_ns
        self._used_ns[execution] = used
        return used <= self._limit(execution)

    def forget(self, execution: int) -> None:
        self._used_ns.pop(execution, None)

    def used_ns(self, execution: int) -> int:
        """CPU time of the steps that are over, in nanoseconds."""
        return self._used_ns.get(execution, 0)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _limit(self, execution: int) -> int:
        return self._limit_ns if execution else self._module_limit_ns

    def _look(self) -> None:
        self._timer = None
        if self._steps == 0:
            return
        tag, cpu_ns = self._native.running()
        wait = TICK_S
        if tag:
            execution = tag >> TAG_BITS
            left = self._limit(execution) - self._used_ns.get(execution, 0) - cpu_ns
            if left > 0:
                wait = min(TICK_S, max(SHORTEST_S, left / 1e9))
            elif self._kill(tag, cpu_ns):
                self._on_wedged()
                return
        self._timer = self._loop.call_later(wait, self._look)

    def _kill(self, tag: int, cpu_ns: int) -> bool:
        """Terminates the step; True when it has withstood that for too long."""
        now = self._loop.time()
        if tag != self._killed:
            self._killed, self._killed_at, self._killed_cpu_ns = tag, now, cpu_ns
        self._native.kill(tag, CPU)
        return cpu_ns - self._killed_cpu_ns > WEDGED_CPU_NS or now - self._killed_at > WEDGED_S
