"""One V8 isolate that serves one function version: many executions in flight, one message a step.

What goes in are four kinds of message (open, start, answer, abandon), what comes out are events (`protocol.py`). The
theory of operation stands in `_v8.h`, the JavaScript side in sdk/runtime, limits on CPU time in `limits.py`.

What survives what, found by experiment (tests/integration/workers/isolate/test_limits.py):
- a step that is terminated for its CPU time leaves the isolate whole, but the module's own state may be halfway
  through a change. So the isolate is `spent`: it finishes what it has, and takes nothing new.
- after a step that exhausted the heap, a full collection decides: if it frees the memory, the same holds; if the
  memory stays in use (the module itself holds it), the other executions are lost with the isolate.
- what V8 cannot interrupt (a few builtins that loop in C++) makes the isolate `wedged`: all its executions are lost,
  and the process is to be replaced.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final, cast

import orjson

from ...manifest import Limits
from . import _bridge
from .limits import REASONS, TAG_BITS, Watchdog
from .protocol import (
    ABANDON,
    ANSWER,
    OPEN,
    START,
    Call,
    Done,
    Event,
    Failed,
    Loaded,
    Said,
    Settled,
    Stopped,
    StopReason,
    parse,
)

__all__ = ["Event", "HeapStats", "Isolate", "ModuleFailed"]

# What Date says at a module's top level: 2026-01-01. Fixed, so that a replay loads the module as the record had it.
MODULE_CLOCK_US: Final = 1_767_225_600_000_000
# Share of the heap limit that may be in use after an execution exhausted it, for the others to go on.
RECOVERED: Final = 0.75


class ModuleFailed(Exception):
    """The module's top level threw, never ended, or exports no function. `payload` is as in `protocol.Failed`."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        super().__init__(orjson.loads(payload)["message"])


@dataclass(frozen=True, kw_only=True, slots=True)
class HeapStats:
    """Bytes, as of the last garbage collection; `external` is what array buffers hold."""

    used: int
    external: int
    limit: int


@functools.cache
def bootstrap() -> bytes:
    """The generated runtime script."""
    return resources.files(__package__).joinpath("bootstrap.js").read_bytes()


class Isolate:
    """Opens at once; `ready()` says when the module has loaded. Not safe for threads: it belongs to the loop.

    `version` seeds the randomness of the module's top level (the bundle's hash when it is empty); its clock is
    MODULE_CLOCK_US. `on_events` gets the events of one or more steps; it may call any method here.
    """

    def __init__(
        self,
        *,
        name: str,
        bundle: str,
        limits: Limits,
        on_events: Callable[[list[Event]], None],
        loop: asyncio.AbstractEventLoop,
        version: str = "",
    ) -> None:
        _bridge.initialise()
        self.name = name
        self.spent = False
        self.wedged = False
        self._loop = loop
        self._on_events = on_events
        self._live: set[int] = set()
        self._settled: set[int] = set()  # have their outcome, and the runtime has forgotten them
        self._tag = 0
        self._closed = False
        self._ready: asyncio.Future[str] = loop.create_future()
        self._native = _bridge.NativeIsolate(limits.heap_bytes)
        self._watchdog = Watchdog(self._native, limits.cpu_ms, loop, self._give_up)
        loop.add_reader(self._native.fileno(), self._drain)
        seed = hashlib.sha256((version or bundle).encode()).digest()
        self._send(0, _bridge.BOOT, 0, 0, True, (_bridge.UTF8, bootstrap()))
        self._post(0, OPEN, limits.in_flight_calls, limits.message_bytes, MODULE_CLOCK_US, True, (_bridge.LATIN1, seed))
        self._send(0, _bridge.SOURCE, 0, 0, True, (_bridge.UTF8, bundle.encode()))

    async def ready(self) -> str:
        """Waits for the module; gives its style: "handler", "function" or "fetch". Raises ModuleFailed."""
        return await asyncio.shield(self._ready)

    @property
    def in_flight(self) -> int:
        """Executions that were started and not abandoned."""
        return len(self._live)

    def start(
        self, execution: int, *, started_us: int, seed: bytes, request: bytes, body: bytes | None, context: bytes
    ) -> None:
        """Runs the function. `execution` is above 0; `seed` has 32 bytes; `request` and `context` are JSON."""
        parts = [(_bridge.LATIN1, seed), (_bridge.UTF8, request), (_bridge.UTF8, context)]
        if body is not None:
            parts.append((_bridge.UTF8 if _is_utf8(body) else _bridge.BUFFER, body))
        self._live.add(execution)
        self._send(execution, START, 0, started_us, True, *parts)

    def answer(self, execution: int, call: int, *, clock_us: int, ok: bool, payload: bytes) -> None:
        """Answers a host call with JSON: its result, or {"code", "status", "message", ...} when not ok."""
        if execution in self._live:
            self._send(execution, ANSWER, call, clock_us, ok, (_bridge.UTF8, payload))

    def abandon(self, execution: int) -> None:
        """Forgets the execution: its answers and events are dropped from now on."""
        if execution not in self._live:
            return
        self._live.remove(execution)
        self._watchdog.forget(execution)
        if execution in self._settled:
            self._settled.remove(execution)
        elif not self.wedged and not self._closed:
            self._send(execution, ABANDON, 0, 0, True)

    def cpu_us(self, execution: int) -> int:
        """CPU time that the execution has used so far, without the step that runs."""
        return self._watchdog.used_ns(execution) // 1000

    def heap(self) -> HeapStats:
        used, external, limit = self._native.heap()
        return HeapStats(used=used, external=external, limit=limit)

    def close(self) -> None:
        """Ends the isolate; nothing is said any more. A running step is terminated, without waiting for it here."""
        if self._closed:
            return
        self._closed = True
        self._live.clear()
        self._watchdog.close()
        self._loop.remove_reader(self._native.fileno())
        if not self._ready.done():
            self._ready.cancel()
        elif not self._ready.cancelled():
            self._ready.exception()  # seen, should nobody have awaited it
        if self.wedged:
            self._native.leak()
        elif self._watchdog.idle:
            self._native.close()
        else:
            # Not a daemon: the process must not take V8 away from under a thread that ends.
            threading.Thread(target=self._native.close, name=f"close {self.name}").start()

    def _send(self, execution: int, kind: int, call: int, clock_us: int, ok: bool, *parts: tuple[int, bytes]) -> None:
        self._post(execution, kind, execution, call, clock_us, ok, *parts)

    def _post(
        self, owner: int, kind: int, execution: int, call: int, clock_us: int, ok: bool, *parts: tuple[int, bytes]
    ) -> None:
        if self._closed or self.wedged:
            return
        self._tag += 1
        self._native.send(owner << TAG_BITS | self._tag & 0xFFFFFFFF, kind, execution, call, clock_us, ok, *parts)
        self._watchdog.sent()

    def _drain(self) -> None:
        events: list[Event] = []
        for tag, status, reason, cpu_ns, outbox in self._native.drain():
            if status == _bridge.DEAD:
                self._fall(tag >> TAG_BITS, events)
                break
            execution = tag >> TAG_BITS
            within = self._watchdog.ended(execution, cpu_ns)
            said = parse(outbox) if outbox else []
            if status == _bridge.OK:
                self._take(said, events)
                if not within and execution in self._live and not _has_outcome(said, execution):
                    self._stop(execution, "cpu", events)
            else:
                # The step did not come to its end, so its calls are not made; what it logged is kept.
                self._take([e for e in said if not (isinstance(e, Call) and e.execution == execution)], events)
                self._stop(execution, cast(StopReason, REASONS.get(reason, "lost")), events)
            if execution and execution not in self._live:
                self._watchdog.forget(execution)
        if events:
            self._on_events(events)

    def _take(self, said: list[Said], events: list[Event]) -> None:
        for event in said:
            if isinstance(event, Settled):
                self._settled.discard(event.execution)
            elif isinstance(event, Loaded):
                self._loaded(event)
            elif event.execution in self._live:
                if isinstance(event, (Done, Failed)):
                    self._settled.add(event.execution)
                events.append(event)
            elif not event.execution:
                events.append(event)

    def _loaded(self, event: Loaded) -> None:
        if self._ready.done():
            return
        if event.error is None:
            self._ready.set_result(event.style or "")
        else:
            self._ready.set_exception(ModuleFailed(event.error))

    def _stop(self, execution: int, reason: StopReason, events: list[Event]) -> None:
        """Reports a step that was cut short, and takes nothing new into this isolate."""
        self.spent = True
        if execution == 0:
            self._loaded(Loaded(None, _module_stopped(reason)))
            return
        if execution in self._live:
            events.append(Stopped(execution, reason))
        if reason == "memory":
            used, external, limit = self._native.heap()
            if used + external > limit * RECOVERED:
                self._lose(execution, events)

    def _lose(self, culprit: int, events: list[Event]) -> None:
        events.extend(Stopped(execution, "lost") for execution in sorted(self._live) if execution != culprit)

    def _fall(self, culprit: int, events: list[Event]) -> None:
        """V8 has given up for good."""
        self.wedged = self.spent = True
        self._watchdog.close()
        self._loaded(Loaded(None, _module_stopped("memory")))
        if culprit in self._live:
            events.append(Stopped(culprit, "memory"))
        self._lose(culprit, events)

    def _give_up(self) -> None:
        """The running step does not react to termination."""
        culprit = self._native.running()[0] >> TAG_BITS
        self.wedged = self.spent = True
        self._loaded(Loaded(None, _module_stopped("cpu")))
        events: list[Event] = [Stopped(culprit, "cpu")] if culprit in self._live else []
        self._lose(culprit, events)
        if events:
            self._on_events(events)


def _has_outcome(said: list[Said], execution: int) -> bool:
    return any(isinstance(event, (Done, Failed)) and event.execution == execution for event in said)


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _module_stopped(reason: StopReason) -> bytes:
    what = {
        "cpu": ("CPU_LIMIT", "The module's top level ran longer on the CPU than its limit allows."),
        "memory": ("MEMORY_LIMIT", "The module's top level used more memory than its limit allows."),
        "lost": ("ISOLATE_LOST", "The module could not be loaded."),
    }
    code, message = what[reason]
    return orjson.dumps({"code": code, "status": 500, "message": message, "name": "Error", "stack": ""})
