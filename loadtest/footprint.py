"""`memory` and `first-request`: what Flux costs while nobody calls, and what its first caller waits."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from .client import Connection
from .contender import FLUX, site
from .database import scratch
from .load import OutOfBounds
from .processes import Tree, pss_bytes
from .scenario import HELLO, Request, create_user

# Requests that a warm median is taken of, one after the other on one connection.
WARM_REQUESTS = 200

MAX_STARTS = 50

# An idle server may still be warming something up when it says that it is ready.
SETTLE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Share:
    """One process and its proportional share of memory, in bytes."""

    title: str
    pss_bytes: int


@dataclass(frozen=True, kw_only=True)
class FirstRequest:
    """Latencies of one function in ms: its first request after each start, and the median of warm ones."""

    function: str
    first_ms: tuple[float, ...]
    warm_ms: float


async def memory(*, workers: int, project: Path | None = None) -> list[Share]:
    """PSS of every process of an idle Flux (Postgres, shared with no one, is not among them)."""
    async with _flux(workers, project) as tree:
        await tree.quiet()
        await asyncio.sleep(SETTLE_S)
        shares = []
        for process in tree.members():
            with suppress(psutil.NoSuchProcess):
                shares.append(Share(title=" ".join(process.cmdline()), pss_bytes=pss_bytes([process])))
        return shares


async def first_requests(*, workers: int, starts: int) -> list[FirstRequest]:
    """Starts Flux `starts` times on a fresh folder, calls each function once on an open connection, then warm."""
    if not 1 <= starts <= MAX_STARTS:
        raise OutOfBounds(f"between 1 and {MAX_STARTS} starts")
    first: dict[str, list[float]] = {}
    warm: dict[str, list[float]] = {}
    for _ in range(starts):
        async with _flux(workers, None) as tree:
            await tree.quiet()
            transport, connection = await asyncio.get_running_loop().create_connection(Connection, *tree.address)
            run = secrets.token_hex(6)
            calls = [HELLO, create_user(run, 0)]
            for request in calls:
                first.setdefault(request.kind, []).append(await _timed(connection, request))
            for number in range(1, WARM_REQUESTS + 1):
                for request in (HELLO, create_user(run, number)):
                    warm.setdefault(request.kind, []).append(await _timed(connection, request))
            transport.abort()
    return [FirstRequest(function=name, first_ms=tuple(first[name]), warm_ms=median(warm[name])) for name in first]


async def _timed(connection: Connection, request: Request) -> float:
    """The latency of one request in ms; raises RuntimeError when it does not succeed."""
    raw = request.encode("127.0.0.1")
    began = time.perf_counter_ns()
    answer = await connection.exchange(raw)
    took_ms = (time.perf_counter_ns() - began) / 1e6
    if answer.status != request.expect:
        raise RuntimeError(f"{request.path} answered {answer.status} instead of {request.expect}")
    return took_ms


@asynccontextmanager
async def _flux(workers: int, project: Path | None) -> AsyncIterator[Tree]:
    async with scratch() as (folder, server):
        database = await server.create("load_idle")
        with site(folder / "site", database, workers=workers, project=project) as place:
            tree = await FLUX.start(place)
            try:
                yield tree
            finally:
                await tree.stop()
