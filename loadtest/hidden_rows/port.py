"""As a caller of the port sees it: a data route of a real Flux, one request at a time on one connection."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import asyncpg

from ..client import Connection
from ..contender import FLUX, site
from ..database import scratch
from ..scenario import Request
from .telling import ABSENT, HIDDEN, TABLE, Times

PROJECT = Path(__file__).resolve().parent / "project"


async def measure(rounds: int, calls: int) -> dict[str, Times]:
    async with scratch() as (folder, server):
        url = await server.create("hidden_rows")
        database = await asyncpg.connect(url)
        await database.execute(TABLE)
        await database.close()
        with site(folder / "site", url, project=PROJECT) as place:
            tree = await FLUX.start(place)
            try:
                return {"GET /notes/:id": await _ask(place.port, rounds, calls)}
            finally:
                await tree.stop()


async def _ask(port: int, rounds: int, calls: int) -> Times:
    found = Times()
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    for turn in range(rounds + 1):
        for key in random.sample([HIDDEN, ABSENT] * calls, 2 * calls):
            raw = Request(kind="note", method="GET", path=f"/notes/{key}").encode(f"127.0.0.1:{port}")
            start = time.perf_counter_ns()
            answer = await connection.exchange(raw)
            took = (time.perf_counter_ns() - start) / 1000
            if answer.status != 404:
                raise AssertionError(f"the row is not hidden: {answer}")
            if turn:  # the first warms up
                (found.hidden if key == HIDDEN else found.absent).append(took)
    connection.close()
    return found
