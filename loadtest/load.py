"""One load on one address: which scenario, how many callers, how long, by which generator. Everything is bounded."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, fields
from typing import Literal

from . import wrk
from .client import Tally, closed_loop, open_loop
from .scenario import Name, Stream, TraceReads

Generator = Literal["auto", "wrk", "client"]

# Upper bounds: a typing error must not keep a machine busy for a day or exhaust its sockets.
MAXIMA = {"seconds": 600, "rounds": 100, "connections": 4_096, "rate": 200_000, "warmup_s": 60, "sample": 10_000}


class OutOfBounds(ValueError):
    """A load test is bounded; the message says by what."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """`rate` 0 is the closed loop; above 0 the open loop at that many requests/s, by the harness's own client."""

    scenario: Name = "hello"
    seconds: int = 5
    rounds: int = 5
    connections: int = 32
    rate: float = 0.0
    generator: Generator = "auto"
    warmup_s: int = 2
    sample: int = 200

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            low = 1 if entry.name in ("seconds", "rounds", "connections") else 0
            if entry.name in MAXIMA and not low <= value <= MAXIMA[entry.name]:
                raise OutOfBounds(f"{entry.name} lies between {low} and {MAXIMA[entry.name]}, not at {value}")
        if self.generator == "wrk" and (self.rate or not wrk.supports(self.scenario)):
            raise OutOfBounds("wrk runs hello and create_user in a closed loop; use --generator client")

    @property
    def by_wrk(self) -> bool:
        if self.generator == "auto":
            return not self.rate and wrk.supports(self.scenario) and wrk.installed()
        return self.generator == "wrk"

    @property
    def method(self) -> str:
        """The generator in words, for the report."""
        if self.by_wrk:
            return f"wrk, closed loop, {self.connections} connections, 1 thread"
        loop = f"open loop, {self.rate:g} requests/s" if self.rate else "closed loop"
        return f"the harness's own client, {loop}, {self.connections} connections"

    async def run(
        self, address: tuple[str, int], run: str, *, seconds: int | None = None, traces: TraceReads | None = None
    ) -> tuple[Tally, float]:
        """(what was seen, CPU seconds that the generator used). `run` must be fresh: it makes e-mails unique."""
        seconds = self.seconds if seconds is None else seconds
        before = _generator_cpu_s()
        if self.by_wrk:
            tally = await wrk.saturate(address, self.scenario, run, connections=self.connections, seconds=seconds)
            return tally, _generator_cpu_s() - before
        stream = Stream(self.scenario, run, traces)
        if self.rate:
            tally = await open_loop(address, stream, connections=self.connections, seconds=seconds, rate=self.rate)
        else:
            tally = await closed_loop(address, stream, connections=self.connections, seconds=seconds)
        return tally, _generator_cpu_s() - before


def _generator_cpu_s() -> float:
    """CPU of this process (the client runs in it) and of its ended children (wrk has ended, contenders have not)."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
