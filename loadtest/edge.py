"""What the HTTP edge costs beside a bare aiohttp application: `python -m loadtest.edge [seconds] [rounds]`.

Method: both serve POST /hello (echo of a small JSON body) in one process each, pinned to one CPU, wrk on the other with
32 connections; interleaved rounds, medians. The edge does all of its work (parser, gateway, request ID, decisions);
behind it a dispatcher answers on the next turn of the loop. CPU is the server process's own time per request.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import uvloop
from aiohttp import web

from flux.config import load
from flux.errors import FluxError
from flux.manifest import FunctionSpec, Manifest, Route
from flux.master.gateway.pipeline import Gateway
from flux.master.http.call import GatewayCall, Result
from flux.master.http.edge import Edge
from flux.master.http.front import Front
from flux.master.http.mounts import ApiRequest, ApiResponse, Mount, Mounts
from flux.master.metrics import Metrics

CONNECTIONS = 32
IDLE = 10_000
BODY = '{"name":"world"}'
SCRIPT = f"""
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{BODY}'
"""
JSON = [("content-type", "application/json")]


async def serve_edge(ready: Connection) -> None:
    loop = asyncio.get_running_loop()
    settings = load(Path(tempfile.gettempdir()) / "flux-no-such-project", env={})
    spec = FunctionSpec(name="hello", version="0" * 64, source="", routes=(Route(method="POST", path="/hello"),))
    gateway = Gateway(settings, Manifest(functions={"hello": spec}), {}, time.monotonic)

    def dispatch(call: GatewayCall) -> asyncio.Future[Result]:
        answer: asyncio.Future[Result] = loop.create_future()
        loop.call_soon(answer.set_result, Result(200, JSON, call.body or b""))
        return answer

    def refused(call: GatewayCall, error: FluxError) -> None:
        raise AssertionError(error)

    async def nothing(request: ApiRequest) -> ApiResponse:
        return ApiResponse()

    mounts = Mounts(exact={}, api=Mount(handler=nothing))
    front = Front(
        settings=settings, gateway=gateway, dispatch=dispatch, refused=refused, mounts=mounts, metrics=Metrics()
    )
    _, port = await Edge(settings, front).start("127.0.0.1", 0)
    ready.send(port)
    await asyncio.Event().wait()


async def serve_aiohttp(ready: Connection) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    app = web.Application()
    app.router.add_post("/hello", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def _process(serve: Callable[[Connection], Any], ready: Connection) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    uvloop.run(serve(ready))


def measure(port: int, pid: int, seconds: float) -> tuple[float, float]:
    """(requests/s, CPU µs per request of the server)."""
    server = psutil.Process(pid)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT)
        script.flush()
        before = server.cpu_times()
        # S603: our own arguments; wrk from the PATH, as a user would run it.
        wrk = subprocess.run(  # noqa: S603
            [
                *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(seconds)}s"),
                *("-s", script.name, f"http://127.0.0.1:{port}/hello"),
            ],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
        )
        after = server.cpu_times()
    if "Non-2xx" in wrk.stdout:
        raise RuntimeError(wrk.stdout)
    found = re.search(r"(\d+) requests in ([\d.]+)s", wrk.stdout)
    assert found is not None, wrk.stdout
    requests, duration = int(found[1]), float(found[2])
    used = after.user + after.system - before.user - before.system
    return requests / duration, used / requests * 1e6


def idle_bytes(port: int, pid: int) -> float:
    """What a connection that sends nothing costs the server, bytes of resident memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = psutil.Process(pid)
    before = server.memory_info().rss
    open_ones = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    while server.num_fds() < count:
        time.sleep(0.01)
    grown = server.memory_info().rss - before
    for each in open_ones:
        each.close()
    return grown / count


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    context = get_context("spawn")
    contenders = {"flux edge": serve_edge, "aiohttp application": serve_aiohttp}
    servers = {}
    for name, serve in contenders.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_process, args=(serve, theirs), daemon=True)
        process.start()
        servers[name] = (process, ours.recv())
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (process, port) in servers.items():
            assert process.pid is not None
            figures[name].append(measure(port, process.pid, seconds))
    edge_process, edge_port = servers["flux edge"]
    assert edge_process.pid is not None
    idle = idle_bytes(edge_port, edge_process.pid)
    for process, _ in servers.values():
        process.kill()
        process.join()
    print((__doc__ or "").split("\n\n")[1].replace("\n", " "), f"{rounds} rounds of {seconds:g} s.")
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()
    }
    for name, (rate, cpu) in medians.items():
        print(f"{name:20} {rate:9,.0f} requests/s   {cpu:6.1f} µs CPU per request")
    edge, bare = medians["flux edge"], medians["aiohttp application"]
    print(f"a connection that sends nothing: {idle / 1024:.1f} KiB")
    print(f"ratio: {edge[0] / bare[0]:.2f} x the requests/s, {edge[1] / bare[1]:.2f} x the CPU")


if __name__ == "__main__":
    main()
