"""The listening socket and all connections on it: how many, for how long, and how they end."""

from __future__ import annotations

import asyncio
import errno
import resource

from flux.config import Settings
from flux.errors import AlreadyRunning, LocalError
from flux.master.gateway.request_id import trust
from flux.master.http.connection import Connection, Front
from flux.master.http.head import HeadReader

# Connections that the kernel completes before we accept them; more than any burst between two loop turns.
BACKLOG = 4096
# The sweep looks at each connection this often per shortest time limit, within these bounds in seconds.
SWEEPS_PER_LIMIT, SWEEP_MIN_S, SWEEP_MAX_S = 4, 0.02, 1.0
# A drain leaves idle connections open this long, so that a request already on its way gets its answer
# (with "connection: close") instead of a reset.
DRAIN_GRACE_S = 0.5
# Files that the process needs besides client connections.
OTHER_FILES = 512


class Edge:
    """Owns the port. `start`, then `drain` or `close`; the rest is what connections ask of it."""

    def __init__(self, settings: Settings, front: Front) -> None:
        server, limits = settings.server, settings.limits
        self.front = front
        self.head_bytes = limits.head_bytes
        self.body_bytes = limits.body_bytes
        self.header_timeout_s = server.header_timeout_s
        self.body_timeout_s = server.body_timeout_s
        self.keepalive_s = server.keepalive_s
        self.draining = False
        self.trusted = trust(server.trusted_callers)
        self.reader: HeadReader
        self._header_count = limits.header_count
        self._max_connections = server.max_connections
        self._connections: set[Connection] = set()
        self._emptied = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._pause = min(self.header_timeout_s, self.body_timeout_s, self.keepalive_s) / SWEEPS_PER_LIMIT

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listens; returns the address bound to. Raises AlreadyRunning, or LocalError for an address not ours."""
        _raise_file_limit(self._max_connections + OTHER_FILES)
        loop = asyncio.get_running_loop()
        self.reader = HeadReader(loop, head_bytes=self.head_bytes, header_count=self._header_count)
        try:
            self._server = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AlreadyRunning(f"Port {port} on {host} is in use; choose another with --port.") from None
            raise LocalError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from None
        self._sweep()
        bound = self._server.sockets[0].getsockname()
        return str(bound[0]), int(bound[1])

    async def drain(self, seconds: float) -> int:
        """Stops accepting, lets requests in flight finish, closes. Returns how many connections had to be cut."""
        self.draining = True
        self.front.drain()
        self._stop_listening()
        for connection in list(self._connections):
            connection.last_request()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await self._empty_within(min(DRAIN_GRACE_S, seconds))
        for connection in list(self._connections):
            connection.close_if_idle()
        await self._empty_within(max(0.0, end - loop.time()))
        cut = len(self._connections)
        await self.close()
        return cut

    async def close(self) -> None:
        """Cuts what is open."""
        self._stop_listening()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._connections):
            connection.abort()
        # Aborted connections are reported lost on the next turns of the loop.
        await self._empty_within(1.0)

    # -- what connections ask

    def admit(self, connection: Connection) -> bool:
        """Takes the connection in, unless there are too many: then it has been told so."""
        if len(self._connections) >= self._max_connections:
            connection.write(self.front.overfull())
            return False
        self._connections.add(connection)
        self._emptied.clear()
        return True

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._emptied.set()

    # -- inside

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _empty_within(self, seconds: float) -> None:
        if not self._connections:
            return
        try:
            await asyncio.wait_for(self._emptied.wait(), seconds)
        except TimeoutError:
            return

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [each for each in self._connections if each.deadline <= now]:
            connection.expire()
        self._sweeper = loop.call_later(min(max(self._pause, SWEEP_MIN_S), SWEEP_MAX_S), self._sweep)


def _raise_file_limit(wanted: int) -> None:
    """Each connection is an open file; the soft limit is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if most > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
