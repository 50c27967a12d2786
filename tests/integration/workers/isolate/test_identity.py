"""Many executions in one isolate: each sees its own identity, seed and clock; the same inputs give the same bytes."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson

from flux.workers.isolate.protocol import Call, Done, Event

from .conftest import Open
from .harness import NEVER, STARTED_US, Held, Outcome, Service, function

EXECUTIONS = 3_000
IN_FLIGHT = 64

# Each mark is [who ctx says I am, who the globals say I am (through the random stream), the clock].
WHO = """
    const mark = () =>
        [ctx.requestId, Math.random(), crypto.randomUUID(), ctx.uuid(), Date.now(), new Date().toISOString()];
    const marks = [mark()];
    const one = await ctx.db.a.find({ me: ctx.requestId });
    marks.push(mark());
    const many = await Promise.all([
        ctx.db.b.find().then((rows) => { marks.push(mark()); return rows }),
        new Promise((resolve) => setTimeout(() => { console.log(ctx.requestId); resolve(ctx.requestId) }, 5)),
        fetch("https://a.test/" + ctx.requestId).then((r) => r.text()),
        crypto.subtle.digest("SHA-256", new Uint8Array(4)).then((b) => b.byteLength),
    ]);
    await ctx.trace.span("step", async (step) => { await step.sleep(1); marks.push(mark()) });
    marks.push([...crypto.getRandomValues(new Uint8Array(5))], performance.now());
    return { one, many, marks };
"""


def result_of(call: Call, name: int | None = None) -> Any:
    """An answer that says whose it is, or that is the same for all when they are to say the same."""
    whose = call.execution if name is None else name
    if call.op == "fetch":
        url = orjson.loads(call.args)["url"]
        return {"status": 200, "status_text": "OK", "url": url, "headers": [], "body": f"{whose} {url}"}
    if call.op == "crypto.digest":
        return {"data": "AAAA"}
    return [{"execution": whose, "call": call.id}]


class Shuffled:
    """Holds answers back and gives them in an order of its own, a few at a time."""

    def __init__(self, service: Service, order: random.Random) -> None:
        self.service = service
        self.order = order
        self.held: list[Call] = []
        self.wake = asyncio.Event()

    def __call__(self, call: Call) -> Any:
        self.held.append(call)
        self.wake.set()
        return NEVER

    async def run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.held:
                for _ in range(self.order.randint(1, 8)):
                    if self.held:
                        at = self.order.randrange(len(self.held))
                        self.held[at], self.held[-1] = self.held[-1], self.held[at]
                        call = self.held.pop()
                        self.service.answer(call, result_of(call))
                await asyncio.sleep(0)


async def test_thousands_of_executions_never_mix(opened: Open) -> None:
    service = await opened(function(WHO))
    shuffled = Shuffled(service, random.Random(7))
    service.host = shuffled
    answering = asyncio.create_task(shuffled.run())
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> tuple[int, Outcome]:
        async with slots:
            seed = number.to_bytes(32, "little")
            end = service.begin(context={"requestId": f"id-{number}"}, seed=seed, started_us=STARTED_US + number)
            me = service._numbers
            return me, await end

    ended = await asyncio.gather(*(one(number) for number in range(EXECUTIONS)))
    answering.cancel()
    alone = await opened(function("return [Math.random(), crypto.randomUUID(), ctx.uuid()]"))
    for number, (execution, outcome) in enumerate(ended):
        value = outcome.value
        marks, who = value["marks"], f"id-{number}"
        assert {mark[0] for mark in marks[:4]} == {who}
        assert value["one"] == [{"execution": execution, "call": 1}]
        rows, timer, text, size = value["many"]
        assert (rows[0]["execution"], timer, text, size) == (execution, who, f"{execution} https://a.test/{who}", 3)
        assert outcome.messages == [who]
        clocks = [mark[4] for mark in marks[:4]]
        assert clocks == sorted(clocks)
        assert clocks[0] == (STARTED_US + number) // 1000
        if number % 100 == 0:
            seed = number.to_bytes(32, "little")
            assert (await alone.run(seed=seed)).value == marks[0][1:4], "the stream depends on the seed alone"
    streams = {outcome.value["marks"][0][2] for _, outcome in ended}
    assert len(streams) == EXECUTIONS


def key(event: Event) -> bytes:
    return repr(event[1:]).encode()


async def recorded(opened: Open, order: int) -> list[bytes]:
    """All that 100 executions said, each answered in an order that depends on `order` alone."""
    service = await opened(function(WHO), version="v1")
    said: list[bytes] = []
    for number in range(100):
        host = service.host = Held()
        service.clock_us = STARTED_US
        end = service.begin(seed=number.to_bytes(32, "big"), context={"requestId": "same"})
        me = service._numbers
        choose = random.Random(order * 1000 + number)
        while not end.done():
            await asyncio.sleep(0)
            # Only when the isolate has nothing more to do is the set of open calls a function of what came before.
            if host.calls and service.isolate._watchdog.idle:
                call = host.calls.pop(choose.randrange(len(host.calls)))
                service.answer(call, result_of(call, name=0))
        outcome = end.result()
        assert isinstance(outcome.end, Done), (me, outcome.end)
        said.extend(key(event) for event in outcome.events)
    return said


async def test_the_same_answers_in_the_same_order_give_the_same_bytes(opened: Open) -> None:
    first, second, other = [await recorded(opened, order) for order in (1, 1, 2)]
    assert first == second
    assert first != other


async def test_the_top_level_is_the_same_every_time(opened: Open) -> None:
    bundle = "const at = [Date.now(), Math.random(), crypto.randomUUID(), performance.now()];" + function("return at")
    values = [(await (await opened(bundle, version=version)).run()).value for version in ("v1", "v1", "v2")]
    assert values[0] == values[1]
    assert values[0][1] != values[2][1]
    assert values[0][0] == values[2][0] == 1_767_225_600_000


async def test_the_clock_stands_still_while_code_runs_and_never_goes_back(opened: Open) -> None:
    code = """
        const times = [Date.now()];
        for (let i = 0; i < 1e6; i++);
        times.push(Date.now(), +new Date(), Temporal.Now.instant().epochMilliseconds);
        await ctx.sleep(1);
        times.push(Date.now());
        await ctx.sleep(1);
        times.push(Date.now());
        return times"""
    host = Held()
    service = await opened(function(code), host)
    end = service.begin()
    for clock_us in (STARTED_US + 5_000_000, STARTED_US - 5_000_000):
        call = (await host.wait()).pop()
        service.isolate.answer(call.execution, call.id, clock_us=clock_us, ok=True, payload=b"null")
    start = STARTED_US // 1000
    assert (await end).value == [start] * 4 + [start + 5000] * 2


async def test_date_is_whole_and_in_utc(opened: Open) -> None:
    code = """return [
        Date(), new Date(2020, 1, 29, 12).toISOString(), new Date("2020-02-29T12:00").toISOString(), Date.UTC(2020, 0),
        new Date(0).getTimezoneOffset(), Intl.DateTimeFormat().resolvedOptions().timeZone, Date.name, Date.length,
        new Date() instanceof Date, Object.prototype.toString.call(new Date()), new Date().constructor === Date,
        new (class extends Date { more() { return 1 } })().more(), new Date(NaN).getTime(), Date.parse("1970-01-01"),
        new Intl.DateTimeFormat("en-US").format(), new Date(new Date(5)).getTime(), typeof Date.now(),
        Reflect.construct(Date, [7]).getTime(), Intl.DateTimeFormat().resolvedOptions().locale,
    ]"""
    service = await opened(function(code))
    assert (await service.run()).value == [
        "Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)", "2020-02-29T12:00:00.000Z",
        "2020-02-29T12:00:00.000Z", 1577836800000, 0, "UTC", "Date", 7, True, "[object Date]", True, 1, None, 0,
        "11/14/2023", 5, "number", 7, "en-US",
    ]  # fmt: skip


async def test_random_numbers_are_spread_evenly(opened: Open) -> None:
    code = """
        const buckets = new Array(16).fill(0);
        for (let i = 0; i < 160000; i++) buckets[Math.floor(Math.random() * 16)]++;
        return buckets"""
    service = await opened(function(code))
    buckets = (await service.run()).value
    # Chi-square with 15 degrees of freedom; 50 is beyond one in 100,000, and the seed is fixed.
    assert sum((bucket - 10_000) ** 2 / 10_000 for bucket in buckets) < 50


async def test_the_stream_is_chacha20(opened: Open) -> None:
    """Against the cryptography package: key = seed, counter and nonce zero."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    seed = bytes(range(100, 132))
    expected = Cipher(algorithms.ChaCha20(seed, bytes(16)), None).encryptor().update(bytes(1000))
    service = await opened(function("return [...crypto.getRandomValues(new Uint8Array(1000))]"))
    assert bytes((await service.run(seed=seed)).value) == expected


async def test_garbage_collection_cannot_be_observed(opened: Open) -> None:
    code = """
        let called = 0;
        const registry = new FinalizationRegistry(() => called++);
        const refs = [];
        for (let i = 0; i < 1000; i++) { const o = { i }; refs.push(new WeakRef(o)); registry.register(o, i) }
        for (let i = 0; i < 300; i++) new Array(100000).fill(i);
        await ctx.sleep(1);
        return [called, refs.every((ref) => ref.deref()), typeof SharedArrayBuffer, typeof Atomics.wait]"""
    service = await opened(function(code))
    assert (await service.run()).value == [0, True, "undefined", "undefined"]
