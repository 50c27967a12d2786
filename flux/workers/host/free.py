"""The worker's connections between two calls: given from hand to hand, without the pool's bookkeeping.

asyncpg's pool makes a proxy, a task and timers at every acquire, a fifth of a whole `db.findOne`. So a connection that
was taken from it is kept here and lent out directly; it goes back to the pool only to be reset or replaced.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from asyncpg import InterfaceError, Record
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    from flux.store.pool import Pool

Session: TypeAlias = "PoolConnectionProxy[Record]"


class FreeConnections:
    """Lends out at most as many connections as the pool has, the one used last first, waiting callers in order."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._size = pool.get_max_size()
        self._free: list[Session] = []
        self._waiting: deque[asyncio.Future[Session | None]] = deque()
        self._taken = 0

    def at_once(self) -> Session | None:
        """A free connection, if there is one."""
        while self._free:
            connection = self._free.pop()
            if usable(connection):
                return connection
            self._taken -= 1
        return None

    async def wait(self, prepare: Callable[[Session], Awaitable[Session]]) -> Session:
        """The next connection that becomes free, or a new one that has gone through `prepare`."""
        while (connection := self.at_once()) is None:
            if self._taken < self._size:
                self._taken += 1
                try:
                    return await prepare(await self._pool.acquire())
                except BaseException:
                    self._gone()
                    raise
            connection = await self._next()
            if connection is not None and usable(connection):
                break
        return connection

    def give(self, connection: Session) -> None:
        """Takes back a connection that is as it was lent."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        self._free.append(connection)

    async def retire(self, connection: Session) -> None:
        """Gives a connection to the pool, which resets or replaces it."""
        try:
            await self._pool.release(connection)
        finally:
            self._gone()

    async def close(self) -> None:
        """Gives all that are free to the pool, so that it can close."""
        while (connection := self.at_once()) is not None:
            await self.retire(connection)

    async def _next(self) -> Session | None:
        future: asyncio.Future[Session | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except BaseException:
            if future.done() and not future.cancelled() and (connection := future.result()) is not None:
                self.give(connection)  # it came in the moment in which this caller gave up
            raise

    def _gone(self) -> None:
        """There is room for another connection: the first who waits opens it."""
        self._taken -= 1
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return


def usable(connection: Session) -> bool:
    try:
        return not connection.is_closed()
    except InterfaceError:  # a connection that broke has left its proxy
        return False
