"""Tasks that are kept until they end."""

from __future__ import annotations

import asyncio

from flux.workers.tasks import Tasks


async def test_a_task_counts_until_it_has_ended_well_or_not() -> None:
    left: list[int] = []
    tasks = Tasks(asyncio.get_running_loop(), lambda: left.append(len(tasks)))
    go = asyncio.Event()

    async def wait() -> None:
        await go.wait()

    well = tasks.spawn(wait())
    cancelled = tasks.spawn(wait())
    assert len(tasks) == 2
    cancelled.cancel()
    await asyncio.wait([cancelled])
    await asyncio.sleep(0)
    assert left == [1]
    go.set()
    await well
    await asyncio.sleep(0)
    assert left == [1, 0]
