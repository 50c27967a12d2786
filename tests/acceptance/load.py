"""A bounded closed-loop load on a server under test, which notes what every caller was told."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from tests.fixtures.server import Client

CALLERS = 16
T = TypeVar("T")


@dataclass
class Told:
    """Request IDs by the status that the caller got.

    `broken` counts requests that were sent and not answered, `refused` those that found nobody to connect to.
    """

    by_status: dict[int, list[str]] = field(default_factory=dict)
    broken: int = 0
    refused: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, status: int, request_id: str) -> None:
        self.by_status.setdefault(status, []).append(request_id)
        self.changed.set()

    def count(self, status: int = 200) -> int:
        return len(self.by_status.get(status, ()))

    async def more(self, number: int, status: int = 200) -> None:
        """Returns when `number` further answers of this status have come."""
        target = self.count(status) + number
        while self.count(status) < target:
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def load(
    client: Client, path: str = "/create_user", body: Callable[[int], Any] | None = None, callers: int = CALLERS
) -> AsyncIterator[Told]:
    """Keeps `callers` requests in flight while the block runs, then lets those in flight end."""
    told = Told()
    stop = asyncio.Event()
    numbers = itertools.count()
    make = body or (lambda number: {"email": f"{uuid.uuid4().hex}-{number}@example.com"})

    async def caller() -> None:
        while not stop.is_set():
            try:
                async with client.session.post(client.server.url + path, json=make(next(numbers))) as response:
                    await response.read()
                    told.note(response.status, response.headers["x-request-id"])
            except aiohttp.ClientConnectorError:
                told.refused += 1
                await asyncio.sleep(0.02)  # the server is down: do not spin until it is back
            except (aiohttp.ClientError, ConnectionError):
                told.broken += 1

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    try:
        yield told
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)


async def at_once(number: int, works: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all `works`, in their order, with at most `number` of them in flight."""
    places = asyncio.Semaphore(number)

    async def one(work: Awaitable[T]) -> T:
        async with places:
            return await work

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(work)) for work in works]
    return [task.result() for task in tasks]
