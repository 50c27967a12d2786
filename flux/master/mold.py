"""The master's end of the mold: starts it, asks it for workers, hears of their ends (see `flux.workers.mold`)."""

from __future__ import annotations

import asyncio
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Protocol

from ..workers.boot import Boot
from ..workers.mold import MAX_PACKET


class Parent(Protocol):
    """Who is told what becomes of the workers."""

    def spawned(self, index: int, generation: int, pid: int) -> None:
        """The worker asked for is there."""

    def exited(self, pid: int, status: int) -> None:
        """`status`: its exit code, negative for a signal."""

    def mold_lost(self, status: int) -> None:
        """The mold is gone; workers that it forked live on, and nobody will hear of their ends."""


class Mold:
    """One process at a time: once `mold_lost` was told, `start` starts another."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = asyncio.Event()

    def start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_PACKET)
        ours.setblocking(False)
        # A session of its own: what the terminal sends to the group is for the master to act on.
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", "flux.workers.mold", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._socket = ours
        self._ready.clear()
        self._loop.add_reader(ours, self._on_packet)

    async def ready(self) -> None:
        """Returns once the mold can fork: it has imported what workers need."""
        await self._ready.wait()

    def fork(self, boot: Boot, files: Sequence[int]) -> None:
        """Asks for a worker that inherits these files; `spawned` follows. The mold must be ready."""
        assert self._socket is not None
        socket.send_fds(self._socket, [pickle.dumps(boot)], files)

    async def close(self) -> None:
        """Ends the mold and waits for its end; without effect when there was never one."""
        self._hang_up()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def _on_packet(self) -> None:
        assert self._socket is not None
        try:
            packet = self._socket.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packet = b""
        if not packet:
            self._lost()
            return
        message = pickle.loads(packet)  # noqa: S301  from our own mold, over a nameless socket
        if "mold" in message:
            self._ready.set()
        elif "spawned" in message:
            self._parent.spawned(message["index"], message["generation"], message["spawned"])
        elif "exited" in message:
            self._parent.exited(message["exited"], message["status"])

    def _lost(self) -> None:
        assert self._process is not None
        self._hang_up()
        self._parent.mold_lost(self._process.wait())

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
