"""One dispatch master -> worker -> master of an empty function: Flux's rings beside `multiprocessing.Pipe`.

    python -m loadtest.dispatch_ring [--rounds 15] [--seconds 0.3] [--in-flight 64] [--bytes 300] [--no-pin]

Two processes, each on a CPU of its own when there are two. All ways run in every round, one after the other, and the
ratios are medians of the rounds' ratios, so a machine whose speed drifts does not favour one of them. Many short rounds
say more than a few long ones.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import Pipe

import uvloop

from flux.ipc.channel import Receiver, Record, Sender
from flux.ipc.doorbell import Doorbell
from flux.ipc.segment import Segment

WARM_UP_S = 0.1  # under load, before each measurement
RING_BYTES = 1 << 20


@dataclass(kw_only=True)
class Figures:
    """What the rounds gave for one way."""

    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)


class Way(ABC):
    """One way to have a worker answer. Made before the fork; `work` runs in the worker, the rest in the master."""

    name: str

    @abstractmethod
    async def work(self) -> None:
        """Answer for ever."""

    @abstractmethod
    def open(self) -> None:
        """Called once, on the loop."""

    @abstractmethod
    async def idle(self, payload: bytes, seconds: float) -> list[float]:
        """Latencies in µs of dispatches one after the other."""

    @abstractmethod
    async def load(self, payload: bytes, seconds: float, in_flight: int) -> float:
        """Dispatches per second with `in_flight` of them under way."""

    @abstractmethod
    def close(self) -> None: ...


class Awaited(Way):
    """A dispatch is awaited by its caller, who is found by its tag: what a server does."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self.count = 0

    @abstractmethod
    def send(self, tag: bytes, payload: bytes) -> None: ...

    def dispatch(self, payload: bytes) -> asyncio.Future[bytes]:
        self.count += 1
        tag = self.count.to_bytes(16, "big")
        future = self.waiting[tag] = asyncio.get_running_loop().create_future()
        self.send(tag, payload)
        return future

    async def idle(self, payload: bytes, seconds: float) -> list[float]:
        took = []
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            await self.dispatch(payload)
            took.append((time.perf_counter() - begin) * 1e6)
        return took

    async def load(self, payload: bytes, seconds: float, in_flight: int) -> float:
        done = 0

        async def caller(until: float) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await self.dispatch(payload)
                done += 1

        begin = time.perf_counter()
        await asyncio.gather(*(caller(begin + seconds) for _ in range(in_flight)))
        return done / (time.perf_counter() - begin)


class Rings(Awaited):
    """Flux's way: a segment's rings, a doorbell for each direction, uvloop on both sides."""

    name = "rings, awaited"

    def __init__(self) -> None:
        super().__init__()
        self.segment = Segment.create(
            f"flux-bench-{os.getpid()}-{id(self):x}",
            request_bytes=RING_BYTES,
            result_bytes=RING_BYTES,
            journal_bytes=4096,
        )
        self.requests_bell, self.results_bell = Doorbell.create(), Doorbell.create()

    async def work(self) -> None:
        sender = Sender(self.segment.results, self.results_bell)

        def answer(batch: list[Record]) -> None:
            for kind, tag, payload in batch:
                require_room(sender.send(kind, tag, payload))

        Receiver(self.segment.requests, self.requests_bell, asyncio.get_running_loop(), answer).start()
        await asyncio.get_running_loop().create_future()

    def open(self) -> None:
        self.sender = Sender(self.segment.requests, self.requests_bell)
        loop = asyncio.get_running_loop()
        self.receiver = Receiver(self.segment.results, self.results_bell, loop, self.settle)
        self.receiver.start()

    def settle(self, batch: list[Record]) -> None:
        for _, tag, payload in batch:
            self.waiting.pop(tag).set_result(payload)

    def send(self, tag: bytes, payload: bytes) -> None:
        require_room(self.sender.send(1, tag, payload))

    def close(self) -> None:
        self.receiver.stop()
        self.segment.close()
        self.segment.unlink()


def require_room(sent: bool) -> None:
    if not sent:
        raise RuntimeError("more in flight than the ring holds: lower --in-flight or --bytes")


class RingsBare(Rings):
    """The same with a bare callback in place of callers that wait: beside `PipeBare`."""

    name = "rings, bare"

    def settle(self, batch: list[Record]) -> None:
        self.answered(len(batch))

    async def exchange(self, payload: bytes, seconds: float, in_flight: int) -> list[float]:
        """Keep `in_flight` under way; returns the begin and then the time (s) of each answer."""
        finished = asyncio.get_running_loop().create_future()
        times: list[float] = []
        tag = bytes(16)
        end = time.perf_counter() + seconds
        under_way = in_flight

        def answered(count: int) -> None:
            nonlocal under_way
            now = time.perf_counter()
            times.extend([now] * count)
            if now < end:
                for _ in range(count):
                    self.send(tag, payload)
                return
            under_way -= count
            if not under_way:
                finished.set_result(None)

        self.answered = answered
        times.append(time.perf_counter())
        for _ in range(in_flight):
            self.send(tag, payload)
        await finished
        return times

    async def idle(self, payload: bytes, seconds: float) -> list[float]:
        return [(b - a) * 1e6 for a, b in pairwise(await self.exchange(payload, seconds, 1))]

    async def load(self, payload: bytes, seconds: float, in_flight: int) -> float:
        times = await self.exchange(payload, seconds, in_flight)
        return (len(times) - 1) / (times[-1] - times[0])


class Pipes(Awaited):
    """A pipe, uvloop on both sides, one message read per readiness event."""

    name = "Pipe, awaited"

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = Pipe()

    async def work(self) -> None:
        connection = self.theirs
        loop = asyncio.get_running_loop()
        loop.add_reader(connection.fileno(), lambda: connection.send_bytes(connection.recv_bytes()))
        await loop.create_future()

    def open(self) -> None:
        asyncio.get_running_loop().add_reader(self.ours.fileno(), self.settle)

    def settle(self) -> None:
        message = self.ours.recv_bytes()
        self.waiting.pop(message[:16]).set_result(message[16:])

    def send(self, tag: bytes, payload: bytes) -> None:
        self.ours.send_bytes(tag + payload)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.ours.fileno())
        self.ours.close()


class PipeBare(Way):
    """The least a pipe can cost: blocking loops that do nothing else, so no server."""

    name = "Pipe, bare"

    def __init__(self) -> None:
        self.ours, self.theirs = Pipe()

    def open(self) -> None:
        """Nothing: no loop watches this one."""

    async def work(self) -> None:
        while True:
            self.theirs.send_bytes(self.theirs.recv_bytes())

    async def idle(self, payload: bytes, seconds: float) -> list[float]:
        took = []
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            self.ours.send_bytes(payload)
            self.ours.recv_bytes()
            took.append((time.perf_counter() - begin) * 1e6)
        return took

    async def load(self, payload: bytes, seconds: float, in_flight: int) -> float:
        done = 0
        begin = time.perf_counter()
        for _ in range(in_flight):
            self.ours.send_bytes(payload)
        while time.perf_counter() < begin + seconds:
            self.ours.recv_bytes()
            self.ours.send_bytes(payload)
            done += 1
        for _ in range(in_flight):
            self.ours.recv_bytes()
        return (done + in_flight) / (time.perf_counter() - begin)

    def close(self) -> None:
        self.ours.close()


def start_worker(way: Way, cpu: int | None) -> int:
    """Fork a worker; made before any event loop, as Flux's mold does it. Returns its process ID."""
    pid = os.fork()
    if pid:
        return pid
    try:
        pin(cpu)
        uvloop.run(way.work())
    finally:
        os._exit(0)


def pin(cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


async def measure(way: Way, figures: Figures, payload: bytes, options: argparse.Namespace) -> None:
    await way.load(payload, WARM_UP_S, options.in_flight)
    cuts = statistics.quantiles(await way.idle(payload, options.seconds), n=100)
    figures.p50_us.append(cuts[49])
    figures.p99_us.append(cuts[98])
    figures.per_second.append(await way.load(payload, options.seconds, options.in_flight))


async def run(ways: list[Way], options: argparse.Namespace) -> dict[str, Figures]:
    figures = {way.name: Figures() for way in ways}
    payload = os.urandom(options.bytes)
    for way in ways:
        way.open()
    for _ in range(options.rounds):
        for way in ways:
            await measure(way, figures[way.name], payload, options)
    for way in ways:
        way.close()
    return figures


def report(figures: dict[str, Figures], options: argparse.Namespace, pinned: bool) -> None:
    print(f"One dispatch and its answer, {options.bytes} bytes each way, between two processes", end="")
    print(", each pinned to a CPU." if pinned else ", not pinned.")
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; ", end="")
    print(f"medians of {options.rounds} interleaved rounds of {options.seconds:g} s.")
    print("awaited: an event loop on both sides and a future per dispatch. bare: no futures, nothing else to do.\n")
    print(f"{'':16}{'idle p50':>10}{'idle p99':>10}{f'{options.in_flight} in flight':>16}")
    for name, found in figures.items():
        p50, p99, rate = map(statistics.median, (found.p50_us, found.p99_us, found.per_second))
        print(f"{name:16}{p50:>7.0f} µs{p99:>7.0f} µs{rate:>14,.0f}/s")
    print()
    for ring, pipe in ((Rings, Pipes), (RingsBare, PipeBare), (Rings, PipeBare)):
        ours, theirs = figures[ring.name], figures[pipe.name]
        load = statistics.median(a / b for a, b in zip(ours.per_second, theirs.per_second, strict=True))
        idle = statistics.median(a / b for a, b in zip(ours.p50_us, theirs.p50_us, strict=True))
        print(f"{ring.name} / {pipe.name}: {load:.1f} x the dispatches/s under load, {idle:.2f} x the idle p50")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each measurement")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=300, help="of payload in each direction")
    parser.add_argument("--no-pin", action="store_true")
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    pinned = len(cpus) > 1 and not options.no_pin
    ways: list[Way] = [Rings(), Pipes(), RingsBare(), PipeBare()]
    workers = [start_worker(way, cpus[1] if pinned else None) for way in ways]
    try:
        pin(cpus[0] if pinned else None)
        report(uvloop.run(run(ways, options)), options, pinned)
    finally:
        for pid in workers:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
