"""Bundles run in Flux's own isolate, one execution each; crypto calls are answered by the real host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from flux.errors import FluxError
from flux.manifest import FunctionSpec, Limits, Route
from flux.workers.host.registry import answer
from flux.workers.host.scope import Scope, Services
from flux.workers.isolate.isolate import Isolate
from flux.workers.isolate.protocol import Call, Done, Event, Failed

# Far above what any of these takes; only a failing test waits this long.
PATIENCE_S = 20
STARTED_US = 1_760_000_000_000_000  # 2025-10-09T08:53:20Z
SEED = bytes(range(32))


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def head(self) -> bytes:
        url = f"http://flux.test{self.path}" + "".join(f"?{name}={value}" for name, value in self.query.items())
        headers = [["content-type", "application/json"]]
        document = {"method": self.method, "url": url, "path": self.path, "headers": headers}
        return json.dumps({**document, "params": dict(self.params), "query": dict(self.query)}).encode()


@dataclass(frozen=True, kw_only=True)
class Result:
    """`kind` is "json", "response" or "failed"; `calls` are the host calls that were made."""

    kind: str
    payload: Any
    calls: tuple[str, ...]


async def run(bundle: str, request: Request) -> Result:
    """Loads the bundle and runs it once. Raises ModuleFailed."""
    events: asyncio.Queue[Event] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def told(batch: list[Event]) -> None:
        for event in batch:
            events.put_nowait(event)

    isolate = Isolate(name="test", bundle=bundle, limits=Limits(), on_events=told, loop=loop)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await isolate.ready()
            body = None if request.body is None else json.dumps(request.body).encode()
            isolate.start(1, started_us=STARTED_US, seed=SEED, request=request.head(), body=body, context=_context())
            return await _outcome(isolate, events)
    finally:
        isolate.close()


async def value(bundle: str, expression: str) -> Any:
    """The JSON value of an expression over `module`, the bundle's exports. May be a promise."""
    result = await run(_asked(bundle, expression), Request())
    assert result.kind == "json", result
    return result.payload


async def stack(bundle: str, expression: str) -> str:
    """The stack of the error that the expression throws."""
    result = await run(_asked(bundle, expression), Request())
    assert result.kind == "failed", result
    return str(result.payload["stack"])


def _asked(bundle: str, expression: str) -> str:
    """The bundle as a function that answers the expression; added behind it, so that its lines stay where they are."""
    return (
        f"{bundle}\n{{ const module = globalThis.__flux_module;"
        f" globalThis.__flux_module = {{ default: () => ({expression}) }}; }}\n"
    )


async def _outcome(isolate: Isolate, events: asyncio.Queue[Event]) -> Result:
    scope = _scope()
    calls: list[str] = []
    while True:
        event = await events.get()
        match event:
            case Call():
                calls.append(event.op)
                ok, payload = await _answered(scope, event)
                isolate.answer(1, event.id, clock_us=STARTED_US, ok=ok, payload=payload)
            case Done():
                return Result(kind=event.kind, payload=json.loads(event.payload), calls=tuple(calls))
            case Failed():
                return Result(kind="failed", payload=json.loads(event.payload), calls=tuple(calls))
            case _:
                raise AssertionError(f"not expected here: {event}")


async def _answered(scope: Scope, call: Call) -> tuple[bool, bytes]:
    try:
        return True, await answer(scope, call.op, call.args)
    except FluxError as error:
        failed = {"code": error.code, "status": error.status, "message": error.message}
        return False, json.dumps(failed).encode()


def _scope() -> Scope:
    # Nothing here has a database or other functions: only capabilities that need neither are called.
    nothing = cast(Any, None)
    services = Services(
        pool=nothing, lanes=nothing, settings=nothing, secrets={}, functions=dict, invoke=nothing, nudge=lambda: None
    )
    spec = FunctionSpec(name="test", version="0" * 64, source="", routes=(Route(method="POST", path="/"),))
    return Scope(services=services, spec=spec, request_id=bytes(16))


def _context() -> bytes:
    caller: dict[str, Any] = {"requestId": "r-1", "functionName": "test", "tenant": None, "user": None}
    return json.dumps({**caller, "replay": False, "env": {}}).encode()
