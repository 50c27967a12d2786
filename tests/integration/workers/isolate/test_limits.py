"""Limits on CPU time, memory, messages and calls: who is stopped, and who is not disturbed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from flux.manifest import Limits
from flux.workers.isolate.isolate import ModuleFailed
from flux.workers.isolate.protocol import Call, Logged

from .conftest import Open
from .harness import Held, Service, function

CPU_MS = 40
SMALL = Limits(cpu_ms=CPU_MS, heap_bytes=32 << 20, in_flight_calls=8, message_bytes=10_000)
PATIENT = Limits(cpu_ms=20_000, heap_bytes=32 << 20)

# A neighbour waits for its answer while the culprit is stopped, and then goes on.
NEIGHBOUR = "if (input.neighbour) return [await ctx.db.t.find(), Math.random() < 1, ctx.requestId];"

LOOPS = {
    "synchronous": "while (true) {}",
    "after an await": "await ctx.sleep(1); while (true) {}",
    "in a microtask": "queueMicrotask(() => { while (true) {} }); await ctx.sleep(1)",
    "of microtasks": "for (;;) await null",
    "in a getter of the result": "return { get a() { while (true) {} } }",
    "in a thenable": "return { then() { while (true) {} } }",
    "in toString of what is thrown": "const loop = { toString() { for (;;); } }; throw { ...loop, message: loop }",
    "in a regular expression": "return /(a+)+$/.test('a'.repeat(60) + 'b')",
    "in prepareStackTrace": "Error.prepareStackTrace = () => { while (true) {} }; throw new Error('x')",
    "that catches all": "for (;;) try { for (;;); } catch {} finally { for (;;); }",
    "with a leftover": "queueMicrotask(() => { for (;;); }); for (;;);",
    "in a timer": "setTimeout(() => { for (;;); }, 1); await new Promise(() => {})",
}

HEAPS = {
    "objects": "const a = []; for (;;) a.push({ a: 1, b: [1, 2, 3] })",
    "array buffers": "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))",
    "strings": "const a = []; for (;;) a.push('x'.repeat(1e5) + a.length)",
    "one array": "const a = []; for (;;) a.push(1)",
    "after an await": "await ctx.sleep(1); const a = []; for (;;) a.push(new Array(1000).fill({}))",
    "a thrown text": "throw new Error('x'.repeat(1e8))",
}


async def with_neighbour(opened: Open, code: str, limits: Limits) -> tuple[Service, Any, Any]:
    host = Held("db.find")
    service = await opened(function(NEIGHBOUR + code), host, limits=limits)
    neighbour = service.begin({"neighbour": True})
    (call,) = await host.wait()
    outcome = await service.run({})
    service.answer(call, "rows")
    return service, outcome, await asyncio.wait_for(neighbour, 10)


@pytest.mark.parametrize("code", LOOPS.values(), ids=LOOPS)
async def test_a_loop_is_stopped_alone(opened: Open, code: str) -> None:
    service, outcome, neighbour = await with_neighbour(opened, code, SMALL)
    assert outcome.stopped == "cpu"
    assert neighbour.value == ["rows", True, "request-1"]
    assert (service.isolate.spent, service.isolate.wedged) == (True, False)


@pytest.mark.parametrize("code", HEAPS.values(), ids=HEAPS)
async def test_a_heap_bomb_is_stopped_alone(opened: Open, code: str) -> None:
    service, outcome, neighbour = await with_neighbour(opened, code, PATIENT)
    assert outcome.stopped == "memory"
    assert neighbour.value == ["rows", True, "request-1"]
    assert (service.isolate.spent, service.isolate.wedged) == (True, False)


async def test_memory_that_the_module_keeps_takes_the_others_with_it(opened: Open) -> None:
    code = "globalThis.kept ??= []; for (;;) kept.push({ a: [1, 2] })"
    service, outcome, neighbour = await with_neighbour(opened, code, PATIENT)
    assert (outcome.stopped, neighbour.stopped) == ("memory", "lost")
    assert service.isolate.spent


async def test_garbage_is_not_counted_as_memory_in_use(opened: Open) -> None:
    code = """
        for (let i = 0; i < 300; i++) { new Uint8Array(1e6).fill(1); new Array(1e5).fill({}).map((x) => ({ x })) }
        return 1"""
    service = await opened(function(code), limits=PATIENT)
    assert (await service.run()).value == 1
    assert not service.isolate.spent


async def test_cpu_time_is_counted_over_all_steps_of_an_execution(opened: Open) -> None:
    spin = "for (let i = 0; i < 2e6; i++) Math.sqrt(i);"
    service = await opened(function(f"for (;;) {{ {spin} await ctx.sleep(1) }}"), limits=SMALL)
    outcome = await service.run()
    assert outcome.stopped == "cpu"
    assert len(outcome.of(Call)) > 2


async def test_waiting_costs_no_cpu_time(opened: Open) -> None:
    host = Held()
    service = await opened(function("await ctx.sleep(1); return 1"), host, limits=SMALL)
    end = service.begin()
    (call,) = await host.wait()
    before = time.monotonic()
    # More wall time than the limit allows of CPU time: nothing to await would do, as nothing is to happen.
    await asyncio.sleep(CPU_MS * 3 / 1000)
    assert time.monotonic() - before > CPU_MS / 1000
    assert service.isolate.cpu_us(call.execution) < CPU_MS * 1000
    service.answer(call, None)
    assert (await end).value == 1


async def test_a_stopped_loop_does_not_overrun_by_much(opened: Open) -> None:
    service = await opened(function("for (;;);"), limits=SMALL)
    before = time.thread_time(), time.process_time()
    assert (await service.run()).stopped == "cpu"
    used_ms = ((time.process_time() - before[1]) - (time.thread_time() - before[0])) * 1000
    # Two ticks of the watch, and what the scheduler adds on a busy machine.
    assert CPU_MS <= used_ms < CPU_MS + 60


async def test_what_a_stopped_step_logged_is_kept_and_its_calls_are_not_made(opened: Open) -> None:
    code = "console.log('before'); ctx.db.t.insert({}); for (;;);"
    service = await opened(function(code), limits=SMALL)
    outcome = await service.run()
    assert outcome.messages == ["before"]
    assert outcome.of(Call) == []
    assert isinstance(outcome.events[0], Logged)


async def test_too_many_calls_in_flight(opened: Open) -> None:
    code = """
        const results = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => ctx.sleep(i)));
        return results.map((r) => r.reason?.code ?? "ok")"""
    host = Held()
    service = await opened(function(code), host, limits=SMALL)
    end = service.begin()
    for call in await host.wait(8):
        service.answer(call, None)
    assert (await end).value == ["ok"] * 8 + ["CALL_LIMIT"] * 4


@pytest.mark.parametrize(
    "code",
    [
        "return 'x'.repeat(20000)",
        "await ctx.db.t.insert({ x: 'x'.repeat(20000) })",
        "console.log('y'); return new Response('x'.repeat(20000))",
    ],
)
async def test_messages_that_are_too_large(opened: Open, code: str) -> None:
    service = await opened(function(code), limits=SMALL)
    failure = (await service.run()).failure
    assert (failure["code"], failure["status"]) == ("MESSAGE_LIMIT", 500)


@pytest.mark.parametrize(
    ("bundle", "code"),
    [("for (;;) { /a/.test('b') }", "CPU_LIMIT"), ("const a = []; for (;;) a.push({})", "MEMORY_LIMIT")],
)
async def test_a_module_that_never_loads(bundle: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux.workers.isolate.limits.MODULE_CPU_MS", 50 if code == "CPU_LIMIT" else 20_000)
    service = Service(bundle, limits=SMALL)
    try:
        with pytest.raises(ModuleFailed) as caught:
            await service.isolate.ready()
        assert code.encode() in caught.value.payload
    finally:
        service.isolate.close()


async def test_an_isolate_can_be_closed_in_the_middle_of_a_loop(opened: Open) -> None:
    service = await opened(function("for (;;);"), limits=PATIENT)
    service.begin()
    await asyncio.sleep(0)
    before = time.monotonic()
    service.isolate.close()
    assert time.monotonic() - before < 0.5, "closing does not wait on the loop's thread"


BEYOND_KILLING = {
    # Loops in C++ without a look at V8's stack guard.
    "what V8 cannot interrupt": ("return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)", "cpu"),
    # V8 knows no way out of this but to end the process.
    "what V8 cannot survive": ("return 'x'.repeat(5e8).split('').length", "memory"),
}

PROGRAM = """
import asyncio, sys
from flux.manifest import Limits
from flux.workers.isolate import limits
limits.WEDGED_CPU_NS = 50_000_000
from tests.integration.workers.isolate.harness import NEVER, Service, function

async def main():
    code = "if (input.n) return ctx.sleep(1); " + sys.argv[1]
    service = Service(function(code), lambda call: NEVER, limits=Limits(cpu_ms=int(sys.argv[2]), heap_bytes=64 << 20))
    await service.isolate.ready()
    other = service.begin({"n": 1})
    outcome = await service.run({})
    print(outcome.stopped, (await other).stopped, service.isolate.wedged, service.isolate.spent)
    service.isolate.close()
    again = Service(function("return 'alive'"))
    await again.isolate.ready()
    print((await again.run()).value)
    again.isolate.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(("code", "reason"), BEYOND_KILLING.values(), ids=BEYOND_KILLING)
def test_it_takes_its_isolate_with_it_but_not_the_process(pytestconfig: pytest.Config, code: str, reason: str) -> None:
    command = [sys.executable, "-c", PROGRAM, code, "20" if reason == "cpu" else "20000"]
    environment = {**os.environ, "PYTHONPATH": str(pytestconfig.rootpath)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.stdout.splitlines() == [f"{reason} lost True True", "alive"], done.stderr
    assert done.returncode == 0, "a thread that is parked or loops does not keep the process from ending"
