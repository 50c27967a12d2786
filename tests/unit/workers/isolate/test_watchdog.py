"""The watch over CPU time, with a clock and an isolate that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from flux.workers.isolate import limits
from flux.workers.isolate._bridge import NativeIsolate
from flux.workers.isolate.limits import TAG_BITS, TICK_S, Watchdog

MS = 1_000_000
CPU_MS = 100


class FakeLoop:
    """Runs timers when time is moved on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        entry = (self.now + delay, callback)
        self.timers.append(entry)
        loop = self

        class Handle:
            def cancel(self) -> None:
                loop.timers.remove(entry)

        return Handle()

    def advance(self, seconds: float, each: Callable[[float], None] = lambda step: None) -> None:
        end = self.now + seconds
        while self.timers and min(self.timers)[0] <= end:
            entry = min(self.timers, key=lambda timer: timer[0])
            self.timers.remove(entry)
            each(entry[0] - self.now)
            self.now = entry[0]
            entry[1]()
        each(end - self.now)
        self.now = end


class FakeNative:
    """A step that runs until it is killed, if it can be."""

    def __init__(self) -> None:
        self.tag = 0
        self.cpu_ns = 0
        self.kills: list[tuple[int, int]] = []

    def running(self) -> tuple[int, int]:
        return self.tag, self.cpu_ns

    def kill(self, tag: int, reason: int) -> bool:
        self.kills.append((tag, reason))
        return True


class Watched:
    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.native = FakeNative()
        self.wedged = 0
        loop, native = cast(asyncio.AbstractEventLoop, self.loop), cast(NativeIsolate, self.native)
        self.watchdog = Watchdog(native, CPU_MS, loop, self._on_wedged)

    def _on_wedged(self) -> None:
        self.wedged += 1

    def begin(self, execution: int, step: int = 1) -> None:
        self.watchdog.sent()
        self.native.tag, self.native.cpu_ns = execution << TAG_BITS | step, 0

    def burn(self, seconds: float) -> None:
        """Time passes, all of it on the CPU of the step that runs."""

        def each(step: float) -> None:
            self.native.cpu_ns += int(step * 1e9)

        self.loop.advance(seconds, each)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_step_is_killed_when_its_time_is_used_up_and_not_before(watched: Watched) -> None:
    watched.begin(3)
    watched.burn(CPU_MS / 1000 - 0.001)
    assert watched.native.kills == []
    watched.burn(0.002)
    assert watched.native.kills[0] == (3 << TAG_BITS | 1, limits.CPU)


def test_earlier_steps_of_the_execution_count(watched: Watched) -> None:
    watched.begin(3)
    assert watched.watchdog.ended(3, 95 * MS)
    watched.begin(3, 2)
    watched.burn(0.004)
    assert watched.native.kills == []
    watched.burn(0.002)
    assert watched.native.kills


def test_steps_of_others_do_not_count(watched: Watched) -> None:
    for execution in range(1, 20):
        watched.begin(execution)
        assert watched.watchdog.ended(execution, 95 * MS)
    assert watched.watchdog.used_ns(5) == 95 * MS
    assert watched.native.kills == []


def test_a_step_that_ended_by_itself_too_late_is_told(watched: Watched) -> None:
    watched.begin(3)
    assert not watched.watchdog.ended(3, 101 * MS)


def test_time_off_the_cpu_does_not_count(watched: Watched) -> None:
    watched.begin(3)
    watched.loop.advance(60)
    assert watched.native.kills == []


def test_nobody_is_looked_at_while_nothing_runs(watched: Watched) -> None:
    watched.begin(3)
    watched.watchdog.ended(3, MS)
    watched.loop.advance(TICK_S)
    assert watched.loop.timers == []
    assert watched.watchdog.idle


def test_what_withstands_termination_is_wedged(watched: Watched) -> None:
    watched.begin(3)
    watched.burn(CPU_MS / 1000 + limits.WEDGED_CPU_NS / 1e9 + 0.05)
    assert watched.wedged == 1
    assert watched.loop.timers == [], "there is nothing left to watch"


def test_a_leftover_is_killed_again(watched: Watched) -> None:
    watched.begin(3)
    watched.burn(CPU_MS / 1000 + 3 * TICK_S)
    assert len(watched.native.kills) >= 2
    assert watched.wedged == 0


def test_a_killed_step_that_gets_no_cpu_is_wedged_after_a_while(watched: Watched) -> None:
    watched.begin(3)
    watched.burn(CPU_MS / 1000 + 0.01)
    watched.loop.advance(limits.WEDGED_S + 1)
    assert watched.wedged == 1


def test_the_top_level_has_more_time(watched: Watched) -> None:
    watched.begin(0)
    watched.burn(limits.MODULE_CPU_MS / 1000 - 0.01)
    assert watched.native.kills == []
    watched.burn(0.02)
    assert watched.native.kills


def test_what_an_execution_used_is_forgotten_with_it(watched: Watched) -> None:
    watched.begin(3)
    watched.watchdog.ended(3, 90 * MS)
    watched.watchdog.forget(3)
    assert watched.watchdog.used_ns(3) == 0


def test_closing_stops_the_watch(watched: Watched) -> None:
    watched.begin(3)
    watched.watchdog.close()
    watched.watchdog.close()
    assert watched.loop.timers == []
