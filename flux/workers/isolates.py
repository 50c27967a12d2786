"""The isolates of one worker: one per function version, opened when first needed, replaced when spent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..build import store
from ..manifest import FunctionSpec
from .isolate.isolate import Event, Isolate

MAX_OPEN = 128  # one V8 isolate is about 1 MB and a thread; the least recently used idle one makes room
IDLE_S = 60.0  # an isolate of a version that is no longer deployed is kept this long for replays


@dataclass(slots=True)
class _Slot:
    isolate: Isolate
    used: float
    deployed: bool


class Isolates:
    """Opens and keeps isolates. Not safe for threads: it belongs to the worker's loop."""

    def __init__(self, builds: Path, on_events: Callable[[list[Event]], None]) -> None:
        self._builds = builds
        self._on_events = on_events
        self._slots: dict[str, _Slot] = {}
        self._opening: dict[str, asyncio.Task[Isolate]] = {}
        self._retired: list[Isolate] = []

    def ready(self, spec: FunctionSpec) -> Isolate | None:
        """The isolate of this version when it is open and usable."""
        slot = self._slots.get(spec.version)
        if slot is None:
            return None
        if slot.isolate.spent:
            self._retire(spec.version)
            return None
        slot.used = time.monotonic()
        return slot.isolate

    async def open(self, spec: FunctionSpec, *, deployed: bool = True) -> Isolate:
        """The isolate of this version, opened if need be; concurrent callers share one opening.

        Raises ModuleFailed when the module's top level throws, NotFound when the bundle is not in the store.
        """
        isolate = self.ready(spec)
        if isolate is not None:
            return isolate
        opening = self._opening.get(spec.version)
        if opening is None:
            opening = asyncio.get_running_loop().create_task(self._open(spec, deployed))
            self._opening[spec.version] = opening
            opening.add_done_callback(lambda _: self._opening.pop(spec.version, None))
        return await asyncio.shield(opening)

    def keep(self, versions: frozenset[str]) -> None:
        """Says which versions are deployed now; the others are closed by `sweep` when they have been idle."""
        for version, slot in self._slots.items():
            slot.deployed = version in versions

    def sweep(self) -> None:
        """Closes what is spent and drained, or neither deployed nor in use. Called now and then by the worker."""
        now = time.monotonic()
        for version, slot in list(self._slots.items()):
            if not slot.deployed and not slot.isolate.in_flight and now - slot.used > IDLE_S:
                self._retire(version)
        for isolate in [isolate for isolate in self._retired if not isolate.in_flight]:
            self._retired.remove(isolate)
            isolate.close()

    def close(self) -> None:
        for isolate in (*(slot.isolate for slot in self._slots.values()), *self._retired):
            isolate.close()
        self._slots.clear()
        self._retired.clear()

    @property
    def count(self) -> int:
        return len(self._slots)

    @property
    def wedged(self) -> bool:
        """True when some isolate does not even react to termination: only a new process helps."""
        return any(isolate.wedged for isolate in self._retired) or any(
            slot.isolate.wedged for slot in self._slots.values()
        )

    async def _open(self, spec: FunctionSpec, deployed: bool) -> Isolate:
        self._make_room()
        isolate = Isolate(
            name=spec.name,
            version=spec.version,
            bundle=store.load_bundle(self._builds, spec.version),
            limits=spec.limits,
            on_events=self._on_events,
            loop=asyncio.get_running_loop(),
        )
        try:
            await isolate.ready()
        except BaseException:
            isolate.close()
            raise
        self._slots[spec.version] = _Slot(isolate, time.monotonic(), deployed)
        return isolate

    def _make_room(self) -> None:
        idle = sorted((slot.used, version) for version, slot in self._slots.items() if not slot.isolate.in_flight)
        for _, version in idle[: max(0, len(self._slots) + 1 - MAX_OPEN)]:
            self._retire(version)

    def _retire(self, version: str) -> None:
        slot = self._slots.pop(version)
        if slot.isolate.in_flight:
            self._retired.append(slot.isolate)
        else:
            slot.isolate.close()
