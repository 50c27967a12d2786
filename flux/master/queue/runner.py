"""The queue's consumer: claims due jobs in batches and has workers run each as an execution of its own.

One claimer for all workers, because claiming in batches beats many consumers that contend for the same rows. A claim is
a lease: it is extended while its jobs run, and a job whose node died becomes due again when the lease ends. So a job
runs at least once. Outcomes are written in batches too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from ...errors import Draining, FluxError, Overloaded
from ...manifest import Manifest
from ...store import jobs
from ...store.pool import LOST_CONNECTION, Connection, Pool, borrowed
from ..heads import job_work
from ..http.call import Result
from ..work import Work
from .backoff import delay_s

log = logging.getLogger("flux.queue")

POLL_S = 1.0  # jobs that other nodes pushed, or that became due, wait at most this long
SPACING_S = 0.01  # however often it is nudged: claims in batches cost a fraction of claims one by one
LEASE_S = 30.0
EXTEND_S = LEASE_S / 3
BATCH = 100
RETRY_S = 1.0
BUSY_MS = 1000  # a job that found no free worker did not run: it comes back without losing an attempt


class QueueRunner:
    """`run_work` executes one piece of work; `capacity` bounds the jobs in flight."""

    def __init__(
        self,
        pool: Pool,
        manifest: Callable[[], Manifest],
        run_work: Callable[[Work], Awaitable[Result]],
        capacity: int,
    ) -> None:
        self._pool = pool
        self._manifest = manifest
        self._run_work = run_work
        self._capacity = capacity
        self._wake = asyncio.Event()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._chance = random.Random()  # noqa: S311  spreads retries, guards nothing
        self._stopping = False

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def nudge(self) -> None:
        """There are new jobs."""
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`; then returns when the jobs in flight have ended."""
        extending = asyncio.create_task(self._extend_leases())
        try:
            while not self._stopping:
                try:
                    claimed = await self._claim()
                except LOST_CONNECTION as error:
                    log.warning("the queue waits for Postgres: %s", error)
                    await self._pause(RETRY_S)
                    continue
                except Exception:  # jobs must go on, whatever one claim met
                    log.exception("a claim failed; trying again")
                    await self._pause(RETRY_S)
                    continue
                if claimed < BATCH:
                    await asyncio.sleep(SPACING_S)
                    await self._pause(POLL_S)
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        finally:
            extending.cancel()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _claim(self) -> int:
        room = min(BATCH, self._capacity - len(self._running))
        functions = self._manifest().functions
        if room <= 0 or not functions:
            return 0
        async with borrowed(self._pool) as connection:
            claimed = await jobs.claim(connection, limit=room, functions=list(functions), lease_s=LEASE_S)
        for job in claimed:
            task = asyncio.create_task(self._run(job))
            self._running[job.job_id] = task
            task.add_done_callback(partial(self._ended, job.job_id))
        return len(claimed)

    def _ended(self, id: UUID, _: asyncio.Task[None]) -> None:
        del self._running[id]
        if len(self._running) == self._capacity - 1:
            self._wake.set()

    async def _run(self, job: jobs.Job) -> None:
        spec = self._manifest().functions.get(job.function)
        if spec is None:
            await self._settle(job, {"code": "FUNCTION_NOT_FOUND", "message": "the function is not deployed"})
            return
        work = job_work(job, spec)
        try:
            result = await self._run_work(work)
        except (Overloaded, Draining):
            await self._persist(partial(jobs.release, job_id=job.job_id, attempt=job.attempt, delay_ms=BUSY_MS))
        except FluxError as error:
            await self._settle(job, {"code": error.code, "message": error.message})
        else:
            await self._settle(job, None if result.status < 400 else error_of(result))

    async def _settle(self, job: jobs.Job, error: dict[str, Any] | None) -> None:
        if error is None:
            await self._persist(partial(jobs.complete, job_ids=[job.job_id]))
        else:
            await self._persist(partial(self._fail, job=job, error=error))

    async def _persist(self, write: Callable[[Connection], Awaitable[None]]) -> None:
        while True:
            try:
                async with borrowed(self._pool) as connection:
                    await write(connection)
                return
            except LOST_CONNECTION:
                await asyncio.sleep(RETRY_S)

    async def _fail(self, connection: Connection, job: jobs.Job, error: dict[str, Any]) -> None:
        delay_ms = int(delay_s(job.attempt, self._chance) * 1000)
        failure = jobs.Failure(job_id=job.job_id, attempt=job.attempt, error=orjson.dumps(error), delay_ms=delay_ms)
        state = (await jobs.retry(connection, [failure])).get(job.job_id)
        if state == "dead":
            log.error("job %s of %s failed for good: %s", job.job_id, job.function, error["message"])

    async def _extend_leases(self) -> None:
        while True:
            await asyncio.sleep(EXTEND_S)
            if self._running:
                with contextlib.suppress(*LOST_CONNECTION):
                    async with borrowed(self._pool) as connection:
                        await jobs.extend(connection, list(self._running), LEASE_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()


def error_of(result: Result) -> dict[str, Any]:
    """Code and message out of an error response."""
    try:
        error = orjson.loads(result.body)["error"]
        return {"code": error["code"], "message": error["message"]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {"code": f"STATUS_{result.status}", "message": result.body[:500].decode("utf-8", "replace")}
