"""What an operator does to a running server: nothing that was accepted is dropped, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.fixtures.server import Client, Serve

from .load import load
from .projects import copy_of

SOON_S = 15.0


def send(client: Client, number: signal.Signals) -> None:
    assert client.server.process is not None
    client.server.process.send_signal(number)


def family(client: Client) -> list[psutil.Process]:
    """The mold and the workers."""
    assert client.server.process is not None
    return psutil.Process(client.server.process.pid).children(recursive=True)


def molds(client: Client) -> set[int]:
    return {process.pid for process in family(client) if _is_mold(process)}


def _is_mold(process: psutil.Process) -> bool:
    try:
        return any("flux: mold" in part for part in process.cmdline())
    except psutil.Error:  # it has just ended
        return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.02)  # processes of others send no events


async def replaced(client: Client, before: set[int]) -> set[int]:
    """Waits until other workers have taken the place of these; gives their process IDs."""
    await until(lambda: not before & (now := set(client.server.worker_pids())) and len(now) == len(before))
    return set(client.server.worker_pids())


async def test_sigterm_drops_no_accepted_request(serve: Serve) -> None:
    client = await serve(workers=2)
    processes = family(client)
    assert len(processes) == 3
    async with load(client) as told:
        await told.more(200)
        send(client, signal.SIGTERM)
        await client.server.wait()
    assert client.server.process is not None
    assert client.server.process.returncode == 0
    assert set(told.by_status) == {200}
    assert told.broken == 0
    assert [process for process in processes if process.is_running() and process.status() != "zombie"] == []


async def test_sighup_replaces_code_and_workers_without_a_failed_request(serve: Serve, tmp_path: Path) -> None:
    client = await serve(copy_of("limits", tmp_path), workers=2)
    source = client.server.project / "functions" / "hello.ts"
    original = source.read_text()
    before = set(client.server.worker_pids())
    async with load(client, "/hello", lambda number: {"name": str(number)}) as told:
        for greeting in ("Welcome", "Salve"):
            await told.more(100)
            source.write_text(original.replace("Hello", greeting))
            send(client, signal.SIGHUP)
            async with asyncio.timeout(SOON_S):
                while (await client.post("/hello", {"name": "Ada"}))[1] != {"message": f"{greeting}, Ada"}:
                    pass
            before = await replaced(client, before)
        await told.more(100)
    assert (set(told.by_status), told.broken) == ({200}, 0)


async def test_sighup_with_broken_code_keeps_what_runs(serve: Serve, tmp_path: Path) -> None:
    client = await serve(copy_of("limits", tmp_path))
    before = set(client.server.worker_pids())
    (client.server.project / "functions" / "hello.ts").write_text("export default (")
    send(client, signal.SIGHUP)
    await replaced(client, before)
    assert (await client.post("/hello", {"name": "Ada"}))[:2] == (200, {"message": "Hello, Ada"})
    assert "hello.ts" in client.server.output()


async def test_a_killed_mold_is_replaced(serve: Serve) -> None:
    client = await serve(workers=2)
    async with load(client) as told:
        await told.more(50)
        [before] = molds(client)
        workers = set(client.server.worker_pids())
        os.kill(before, signal.SIGKILL)
        await until(lambda: len(molds(client) - {before}) == 1)
        await replaced(client, workers)
        await told.more(100)
    assert set(told.by_status) <= {200, 502}
    assert told.broken == 0
    pids = client.server.worker_pids()
    assert await client.server.stop() == 0
    assert not any(map(psutil.pid_exists, pids))


async def test_told_twice_it_ends_at_once(serve: Serve, tmp_path: Path) -> None:
    client = await serve(copy_of("limits", tmp_path), workers=1)
    waiting = asyncio.create_task(client.post("/patient", {}))
    await started(client, 1)
    send(client, signal.SIGTERM)
    await until(lambda: "draining" in client.server.output())
    assert not waiting.done()
    send(client, signal.SIGTERM)
    await asyncio.wait_for(client.server.wait(), 5)
    assert client.server.process is not None
    assert client.server.process.returncode == 1
    with pytest.raises(aiohttp.ClientError):
        await waiting
    await client.server.start()  # what the first one left in shared memory is recovered
    [execution] = (await client.api("GET", "/executions?function=patient"))[1]["items"]
    assert (execution["status"], execution["error"]["code"]) == (502, "WORKER_DIED")


async def started(client: Client, number: int) -> None:
    """Returns when `number` requests are in flight in workers."""
    async with asyncio.timeout(SOON_S):
        while True:
            async with client.session.get(client.server.url + "/metrics") as response:
                if f"flux_in_flight {number}\n" in await response.text():
                    return


async def test_a_mold_that_dies_before_it_forked_is_replaced(serve: Serve) -> None:
    client = await serve(workers=1)
    [before] = molds(client)
    os.kill(before, signal.SIGSTOP)
    [worker] = client.server.worker_pids()
    send(client, signal.SIGHUP)  # asks the mold for a worker, in vain
    await until(lambda: "reloading" in client.server.output())
    await client.post("/hello", {"name": "Ada"})  # answered after the mold was asked
    os.kill(before, signal.SIGKILL)
    await replaced(client, {worker})
    assert (await client.post("/hello", {"name": "Ada"}))[0] == 200


async def test_workers_that_keep_dying_are_replaced_ever_more_slowly(serve: Serve) -> None:
    client = await serve(workers=1)
    killed = set()
    loop = asyncio.get_running_loop()
    end = loop.time() + 4
    while loop.time() < end:
        for pid in client.server.worker_pids():
            killed.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)  # not SIGKILL, which says nothing about the worker
        await asyncio.sleep(0.02)
    assert 3 < len(killed) < 10
    async with client.session.get(client.server.url + "/health") as response:
        assert response.status == 200
    await until(lambda: len(set(client.server.worker_pids()) - killed) == 1)
    assert (await client.post("/hello", {"name": "Ada"}))[0] == 200
