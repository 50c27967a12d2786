"""wrk for saturation: a generator in C, so that the machine's CPUs go to the contender and not to the load.

The Lua script is made here from the scenario. wrk keeps a fixed number of connections busy (closed loop) and corrects
its latencies for coordinated omission by the mean interval of a connection's requests, as HdrHistogram's
`recordValueWithExpectedInterval` does; the script dumps that whole histogram, so nothing is lost to rounding.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from .client import ANSWER_TIMEOUT_S, Tally
from .histogram import Histogram
from .scenario import HELLO, Name

MISSING = "wrk is not installed: `apt-get install wrk` (Debian, Ubuntu), or run with --generator client"

# wrk sleeps for whole seconds and then joins its threads; when it has not ended this long after, it is killed.
OVERTIME_S = 30

_HELLO = f"""
wrk.method = "POST"
wrk.path = "{HELLO.path}"
wrk.headers["content-type"] = "application/json"
wrk.body = '{HELLO.body.decode()}'
"""

# `setup` runs once for each thread, outside of it, and is the only place that can number the threads.
_CREATE_USER = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end
local sent = 0
function request()
  sent = sent + 1
  return wrk.format("POST", "/create_user", nil,
    '{"email":"RUN-' .. number .. '-' .. sent .. '@load.test"}')
end
"""

_DONE = """
function done(summary, latency, requests)
  local pairs = {}
  for i = 1, #latency do
    local value, count = latency(i)
    pairs[i] = string.format("[%d,%d]", value, count)
  end
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"us":%d,"requests":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"latencies":[%s]}\\n',
    summary.duration, summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    table.concat(pairs, ",")))
end
"""


class WrkFailed(RuntimeError):
    """wrk could not be run, or printed no result."""


def installed() -> bool:
    return shutil.which("wrk") is not None


def supports(scenario: Name) -> bool:
    """`mixed` reads the traces of earlier answers: the harness's own client does that, wrk does not."""
    return scenario in ("hello", "create_user")


def script(scenario: Name, run: str) -> str:
    """The Lua script that sends `scenario`; `run` makes e-mail addresses unique."""
    if not supports(scenario):
        raise ValueError(f"wrk does not run the scenario {scenario!r}")
    return (_HELLO if scenario == "hello" else _CREATE_USER.replace("RUN", run)) + _DONE


def parse(output: str) -> Tally:
    """The tally in what `done` printed. Latencies include failed requests, as wrk does not tell them apart."""
    lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise WrkFailed(f"wrk printed no result: {output.strip()[-500:]}")
    result = json.loads(lines[-1].removeprefix("RESULT "))
    tally = Tally(
        latencies=Histogram.of((value, count) for value, count in result["latencies"]),
        requests=result["requests"] - result["status"],
        recorded=result["requests"] - result["status"],
        seconds=result["us"] / 1e6,
    )
    for kind in ("connect", "read", "write", "status", "timeout"):
        if result[kind]:
            tally.errors[kind] = result[kind]
    return tally


async def saturate(
    address: tuple[str, int], scenario: Name, run: str, *, connections: int, seconds: int, threads: int = 1
) -> Tally:
    """Runs wrk against `address` (checked to be loopback by the caller); raises WrkFailed."""
    if not installed():
        raise WrkFailed(MISSING)
    with tempfile.TemporaryDirectory(prefix="flux-wrk-") as folder:
        lua = Path(folder, f"{scenario}.lua")
        lua.write_text(script(scenario, run))  # noqa: ASYNC240 - a kilobyte, before anything is measured
        process = await asyncio.create_subprocess_exec(
            "wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={round(ANSWER_TIMEOUT_S)}s",
            f"-s{lua}", f"http://{address[0]}:{address[1]}/",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(seconds + OVERTIME_S):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return parse(output.decode())
