"""A worker in miniature: opens isolates, answers their host calls in process, and gathers what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from flux.manifest import Limits
from flux.workers.isolate.isolate import Isolate
from flux.workers.isolate.protocol import Call, CallCancelled, Done, Event, Failed, Logged, Stopped

SEED = bytes(range(32))
STARTED_US = 1_700_000_000_000_000
PATIENCE_S = 30.0  # the machine may be busy; nothing here waits for it when all is well


@dataclass
class HostFailure:
    """What a host answers instead of a result."""

    code: str
    status: int = 500
    message: str = "it failed"

    def payload(self) -> bytes:
        return orjson.dumps({"code": self.code, "status": self.status, "message": self.message})


# Gives the result of a call; NEVER = no answer.
Host = Callable[[Call], Any]
NEVER = object()


def nothing(call: Call) -> Any:
    return None


@dataclass
class Outcome:
    """What one execution said; `end` is its Done, Failed or Stopped."""

    end: Done | Failed | Stopped
    events: list[Event] = field(default_factory=list)

    @property
    def value(self) -> Any:
        """The result that it gave."""
        assert isinstance(self.end, Done), self.end
        return orjson.loads(self.end.payload)

    @property
    def failure(self) -> Any:
        assert isinstance(self.end, Failed), self.end
        return orjson.loads(self.end.payload)

    @property
    def stopped(self) -> str:
        assert isinstance(self.end, Stopped), self.end
        return self.end.reason

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def messages(self) -> list[str]:
        return [orjson.loads(event.payload)["message"] for event in self.of(Logged)]


class Held:
    """A host that keeps calls until the test answers them."""

    def __init__(self, *ops: str) -> None:
        self.calls: list[Call] = []
        self._ops = ops
        self._changed = asyncio.Event()

    def __call__(self, call: Call) -> Any:
        if self._ops and call.op not in self._ops:
            return None
        self.calls.append(call)
        self._changed.set()
        return NEVER

    async def wait(self, count: int = 1) -> list[Call]:
        """The calls that are held, once there are so many."""
        while len(self.calls) < count:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), PATIENCE_S)
        return self.calls


class Service:
    """One isolate and its host."""

    def __init__(self, bundle: str, host: Host = nothing, *, limits: Limits | None = None, version: str = "") -> None:
        self.loop = asyncio.get_running_loop()
        self.host = host
        self.clock_us = STARTED_US
        self.cancelled: list[int] = []
        self.module_events: list[Event] = []
        self._said: dict[int, list[Event]] = {}
        self._ends: dict[int, asyncio.Future[Outcome]] = {}
        self._numbers = 0
        self.isolate = Isolate(
            name="test",
            bundle=bundle,
            limits=limits or Limits(),
            on_events=self._on_events,
            loop=self.loop,
            version=version,
        )

    def begin(
        self,
        body: Any = None,
        *,
        raw: bytes | None = None,
        request: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        seed: bytes = SEED,
        started_us: int = STARTED_US,
    ) -> asyncio.Future[Outcome]:
        self._numbers += 1
        number = self._numbers
        end = self._ends[number] = self.loop.create_future()
        self._said[number] = []
        described = {
            "method": "POST",
            "url": "http://flux.test/f?q=1",
            "path": "/f",
            "headers": [],
            "params": {},
            "query": {},
        }
        known: dict[str, Any] = {
            "requestId": f"request-{number}",
            "functionName": "f",
            "tenant": None,
            "user": None,
            "replay": False,
            "env": {},
        }
        self.isolate.start(
            number,
            started_us=started_us,
            seed=seed,
            request=orjson.dumps({**described, **(request or {})}),
            body=raw if raw is not None or body is None else orjson.dumps(body),
            context=orjson.dumps({**known, **(context or {})}),
        )
        return end

    async def run(self, body: Any = None, **given: Any) -> Outcome:
        return await asyncio.wait_for(self.begin(body, **given), PATIENCE_S)

    def answer(self, call: Call, result: Any) -> None:
        self.clock_us += 1_000
        ok = not isinstance(result, HostFailure)
        payload = orjson.dumps(result) if ok else cast(HostFailure, result).payload()
        self.isolate.answer(call.execution, call.id, clock_us=self.clock_us, ok=ok, payload=payload)

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if event.execution == 0:
                self.module_events.append(event)
                continue
            self._said[event.execution].append(event)
            if isinstance(event, Call):
                result = self.host(event)
                if result is not NEVER:
                    self.answer(event, result)
            elif isinstance(event, CallCancelled):
                self.cancelled.append(event.id)
            elif isinstance(event, (Done, Failed, Stopped)):
                end = self._ends[event.execution]
                self.isolate.abandon(event.execution)
                if not end.done():
                    end.set_result(Outcome(event, self._said[event.execution]))


def module(code: str) -> str:
    """A bundle whose default export is this expression."""
    return f"globalThis.__flux_module = {{ default: {code} }};"


def function(body: str) -> str:
    """A bundle whose default export is an async function (input, ctx) with this body."""
    return module(f"async (input, ctx) => {{ {body} }}")
