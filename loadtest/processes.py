"""A contender's process tree: started here, measured here, and ended here. Nothing else is ever signalled."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from .client import Connection
from .scenario import Request

# A contender builds its functions and migrates its database before it listens.
READY_TIMEOUT_S = 90.0

# What a graceful stop may take: OpenTelemetry's shutdown flush and Flux's drain both end well within it.
STOP_TIMEOUT_S = 40.0

# The pause between two looks at something that is awaited.
POLL_S = 0.05


class ContenderFailed(RuntimeError):
    """A contender did not start or died; the message ends with the last lines of its log."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def family(root: psutil.Process) -> list[psutil.Process]:
    """`root` and all its descendants that are alive; empty when it is gone."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """User and system CPU time of `processes`, and of those children of theirs that have ended and were reaped."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def machine_cpu_seconds() -> float:
    """CPU time of everything on this machine since it started."""
    times = psutil.cpu_times()
    busy: float = times.user + times.nice + times.system + times.irq + times.softirq
    return busy


def pss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Proportional set size: memory that is shared, forked pages or rings, is counted once over the whole tree."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


class Tree:
    """One running contender. Use `start`, then `stop` (or `kill`) always."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
        self._process = process
        self._log = log
        self.port = port
        self.root = psutil.Process(process.pid)
        # Everything ever seen in the tree: a child that outlives its parent leaves the tree, yet is ours to end.
        self._seen: set[psutil.Process] = set()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @classmethod
    async def start(
        cls, command: Sequence[str], *, port: int, ready: str, folder: Path, env: Mapping[str, str], log: Path
    ) -> Tree:
        """Starts `command` in `folder`, in a session of its own, and waits until GET `ready` is answered below 500."""
        if not Path(command[0]).exists():  # noqa: ASYNC240 - a look, not a wait
            raise ContenderFailed(f"{command[0]} is not installed: `pip install -e .` installs Flux")
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - fork and exec at once; our own command line
                command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        tree = cls(process, log, port)
        try:
            await tree._answering(ready)
        except BaseException:
            tree.kill()
            raise
        return tree

    def alive(self) -> bool:
        return self._process.poll() is None

    def members(self) -> list[psutil.Process]:
        found = family(self.root)
        self._seen.update(found)
        return found

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.members())

    def pss_bytes(self) -> int:
        return pss_bytes(self.members())

    async def quiet(self, *, window_s: float = 0.3, share: float = 0.05, timeout_s: float = 15.0) -> None:
        """Waits until the tree uses less than `share` of a CPU: deferred work, such as recording, is then done."""
        end = time.monotonic() + timeout_s
        before = self.cpu_seconds()
        while time.monotonic() < end:
            await asyncio.sleep(window_s)
            now = self.cpu_seconds()
            if now - before <= share * window_s:
                return
            before = now

    async def stop(self) -> None:
        """Asks the root to end (SIGTERM), and kills what is left of the tree after STOP_TIMEOUT_S."""
        self.members()
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)
        await asyncio.to_thread(self.kill)

    def kill(self) -> None:
        """kill -9 of everything that ever was in the tree and still lives."""
        self.members()
        # psutil compares start times before it signals, so a PID that was used again is never hit.
        for process in self._seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def kill_root(self) -> None:
        """kill -9 of the root alone; its children live on, or not, as they would in the field."""
        self.members()
        self._process.kill()
        self._process.wait()

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    async def _answering(self, path: str) -> None:
        end = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < end:
            if not self.alive():
                raise ContenderFailed(f"ended with code {self._process.returncode} at its start\n{self.log_tail()}")
            if await _status(self.address, path) < 500:
                return
            await asyncio.sleep(POLL_S)
        raise ContenderFailed(f"not ready within {READY_TIMEOUT_S:.0f} s\n{self.log_tail()}")


async def _status(address: tuple[str, int], path: str) -> int:
    """The status of GET `path`; 503 when nobody answers."""
    try:
        transport, connection = await asyncio.get_running_loop().create_connection(Connection, *address)
    except OSError:
        return 503
    try:
        request = Request(kind="ready", method="GET", path=path)
        return (await connection.exchange(request.encode("127.0.0.1"))).status
    except (OSError, TimeoutError):
        return 503
    finally:
        transport.abort()
