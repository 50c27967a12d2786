"""One worker's isolate path by itself: requests/s of a function that makes three host calls, answered in process.

    python -m loadtest.isolate_path [--rounds 5] [--requests 20000] [--in-flight 32] [--cpu 0]

Method: one isolate, one process pinned to one CPU (as a worker is), uvloop, no network, no database, no record. The
function awaits three host calls one after the other; each is answered from memory as soon as it is said. mini-racer's
own Python layer does the same in a process of its own (`wrap_py_function`), with fewer requests because it is slower.
The two take turns, round by round, and the ratio is the median of the rounds' ratios. Opening = from `Isolate(...)` to
`ready()`, the first one with V8's start in it; the first request is answered by an isolate that has served none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

import uvloop

from flux.manifest import Limits

FUNCTION = """async (input, ctx) => {
  const user = await ctx.db.users.findOne({ email: input.email });
  const made = await ctx.db.users.insert(input);
  await ctx.queue.push("send_welcome", { id: made.id });
  return { id: made.id, known: user.id };
}"""
HELLO = "async (input) => ({ message: `Hello, ${input.email}` })"
BODY = b'{"email":"ada@example.com","plan":"free"}'
ANSWER = b'{"id":42,"email":"ada@example.com","plan":"free","created_at":"2026-01-01T00:00:00Z"}'
REQUEST = (
    b'{"method":"POST","url":"http://localhost:4000/create_user","path":"/create_user",'
    b'"headers":[["content-type","application/json"],["user-agent","bench"]],"params":{},"query":{}}'
)
CONTEXT = (
    b'{"requestId":"4f9a3b2c-0000-4000-8000-000000000000","functionName":"create_user","tenant":null,"user":null,'
    b'"replay":false,"env":{}}'
)
SEED = bytes(range(32))
STARTED_US = 1_767_225_600_000_000
# mini-racer's layer serves some hundred requests a second: this many say as much in the same time.
FEWER = 20
OPENINGS = 10


class FluxPath:
    """The path under test."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._numbers = 0

    async def open(self) -> float:
        """Milliseconds until the module has loaded."""
        from flux.workers.isolate.isolate import Isolate

        before = time.perf_counter()
        self.loop = asyncio.get_running_loop()
        self.isolate = Isolate(
            name="bench",
            bundle=f"globalThis.__flux_module = {{ default: {self._code} }};",
            limits=Limits(),
            on_events=self._on_events,
            loop=self.loop,
        )
        await self.isolate.ready()
        return (time.perf_counter() - before) * 1000

    def _on_events(self, events: list[Any]) -> None:
        from flux.workers.isolate.protocol import Call, Done

        for event in events:
            if type(event) is Call:
                self.isolate.answer(event.execution, event.id, clock_us=STARTED_US, ok=True, payload=ANSWER)
            elif type(event) is Done:
                self.isolate.abandon(event.execution)
                self._waiting.pop(event.execution).set_result(None)
            else:
                raise AssertionError(event)

    async def request(self) -> None:
        self._numbers += 1
        done = self._waiting[self._numbers] = self.loop.create_future()
        self.isolate.start(self._numbers, started_us=STARTED_US, seed=SEED, request=REQUEST, body=BODY, context=CONTEXT)
        await done


class MiniRacerPath:
    """The same function over the library's own Python layer."""

    async def open(self) -> float:
        from py_mini_racer import MiniRacer

        before = time.perf_counter()
        self._racer = MiniRacer()

        async def host(op: str, args: str) -> str:
            return ANSWER.decode()

        self._host = self._racer.wrap_py_function(host)
        call = await self._host.__aenter__()
        make: Any = self._racer.eval(
            "(host) => { const call = async (op, args) => JSON.parse(await host(op, JSON.stringify(args)));"
            "const ctx = { db: { users: { findOne: (where) => call('db.findOne', { table: 'users', where }),"
            "insert: (data) => call('db.insert', { table: 'users', data }) } },"
            "queue: { push: (f, payload) => call('queue.push', { function: f, payload }) } };"
            f"const handler = {FUNCTION};"
            "return async (body) => JSON.stringify(await handler(JSON.parse(body), ctx)) }"
        )
        self._handle = make(call)
        return (time.perf_counter() - before) * 1000

    async def request(self) -> None:
        await self._handle(BODY.decode())


async def rate(path: FluxPath | MiniRacerPath, requests: int, in_flight: int) -> tuple[float, float]:
    """(requests a second, microseconds of CPU time for one)."""

    async def lane() -> None:
        for _ in range(requests // in_flight):
            await path.request()

    await asyncio.gather(*(path.request() for _ in range(in_flight)))
    before, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(in_flight)))
    done = requests // in_flight * in_flight
    return done / (time.perf_counter() - before), (time.process_time() - cpu) / done * 1e6


async def measure_flux(requests: int, in_flight: int) -> dict[str, Any]:
    first_open = await FluxPath(FUNCTION).open()
    path = FluxPath(FUNCTION)
    opens = [await path.open()]
    before = time.perf_counter()
    await path.request()
    first_request = (time.perf_counter() - before) * 1000
    for _ in range(OPENINGS):
        another = FluxPath(FUNCTION)
        opens.append(await another.open())
        another.isolate.close()
    hello = FluxPath(HELLO)
    await hello.open()
    await rate(path, requests // 10, in_flight)
    await rate(hello, requests // 10, in_flight)
    per_second, cpu_us = await rate(path, requests, in_flight)
    hello_per_second, _ = await rate(hello, requests, in_flight)
    one_by_one, _ = await rate(path, requests // 10, 1)
    return {
        "per_second": per_second,
        "cpu_us": cpu_us,
        "hello_per_second": hello_per_second,
        "one_by_one_us": 1e6 / one_by_one,
        "first_open_ms": first_open,
        "open_ms": statistics.median(opens),
        "first_request_ms": first_request,
    }


async def measure_mini_racer(requests: int, in_flight: int) -> dict[str, Any]:
    path = MiniRacerPath()
    await path.open()
    per_second, cpu_us = await rate(path, max(in_flight, requests // FEWER), in_flight)
    return {"per_second": per_second, "cpu_us": cpu_us}


MEASURES = {"flux": measure_flux, "mini-racer": measure_mini_racer}


def child(name: str, options: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {options.cpu})
    print(json.dumps(uvloop.run(MEASURES[name](options.requests, options.in_flight))), flush=True)
    os._exit(0)  # V8's threads and the interpreter's end are no part of this


def ask(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a process of its own: V8 starts once in a process, and for one of the two."""
    arguments = [f"--requests={options.requests}", f"--in-flight={options.in_flight}", f"--cpu={options.cpu}"]
    command = [sys.executable, "-m", "loadtest.isolate_path", "--measure", name, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own arguments
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(rounds: list[tuple[dict[str, Any], dict[str, Any]]], options: argparse.Namespace) -> str:
    def median(key: str) -> float:
        return statistics.median([float(flux[key]) for flux, _ in rounds])

    rate, cpu_us = median("per_second"), median("cpu_us")
    theirs = statistics.median(other["per_second"] for _, other in rounds)
    ratio = statistics.median(flux["per_second"] / other["per_second"] for flux, other in rounds)
    return "\n".join(
        (
            f"isolate path, one CPU ({platform.machine()}, Python {platform.python_version()}), "
            f"{options.in_flight} in flight, medians of {len(rounds)} rounds of {options.requests} requests",
            f"  three host calls          {rate:>9,.0f} requests/s   {cpu_us:.1f} µs CPU each",
            f"  the same over mini-racer  {theirs:>9,.0f} requests/s   Flux serves {ratio:.0f} times as many",
            f"  no host call              {median('hello_per_second'):>9,.0f} requests/s",
            f"  three calls, one by one   {median('one_by_one_us'):>9,.0f} µs",
            f"  opening an isolate        {median('open_ms'):>9.1f} ms   "
            f"(the first, V8's start included: {median('first_open_ms'):.0f} ms)",
            f"  first request             {median('first_request_ms'):>9.1f} ms",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--cpu", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        child(options.measure, options)
    rounds = [(ask("flux", options), ask("mini-racer", options)) for _ in range(options.rounds)]
    print(report(rounds, options))


if __name__ == "__main__":
    main()
