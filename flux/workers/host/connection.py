"""One statement on the lanes that all share, or a few on a connection of the worker's pool.

What may be tried again: getting a connection, and whatever finds its connection dead before it sends anything (so a
restart of Postgres is waited out for a while); once more a read whose connection broke. Never a write that was sent:
its outcome is unknown, and the caller must know.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from asyncpg import InterfaceError, PostgresError
from asyncpg.exceptions import InternalClientError

from flux.data.types.codec import set_codecs
from flux.failure import HostError
from flux.store.pool import mark_dirty
from flux.store.wire.lanes import PATIENCE_S, RECONNECT_PAUSE_S, Busy, Unreachable
from flux.store.wire.text import parameter

from .database_errors import is_lost, is_unsent, translate
from .free import FreeConnections, Session, usable

if TYPE_CHECKING:
    from flux.store.pool import Pool

    from .scope import Scope, Services

T = TypeVar("T")

# All that asyncpg raises for a statement: from the server, of its own, from the socket, from converting values.
FAILURES = (PostgresError, InterfaceError, InternalClientError, OSError, ValueError, OverflowError)

# Connections that turn out to be dead before anything was sent, met by one call: at most a whole pool of them.
MAX_DEAD_CONNECTIONS = 64


class Source(Protocol):
    """Where connections come from: those of Flux' own user (`Services`), or of the login for raw SQL."""

    @property
    def pool(self) -> Pool: ...

    @property
    def free(self) -> FreeConnections: ...

    @property
    def prepared(self) -> set[int]:
        """Backends whose connection has its codecs."""


async def single(scope: Scope, statement: str, parameters: Iterable[Any], *, read: bool) -> list[bytes | None]:
    """The first column of a statement that is a transaction of its own. Raises host errors, as `translate` says."""
    return await on_lanes(scope.services, statement, parameters, read=read, alone=bool(scope.transactions))


async def on_lanes(
    services: Services, statement: str, parameters: Iterable[Any], *, read: bool, alone: bool = False
) -> list[bytes | None]:
    """The same for no execution in particular."""
    try:
        texts = [parameter(value) for value in parameters]
        return await services.lanes.run(statement, texts, read=read, alone=alone)
    except FAILURES as error:
        raise translate(error) from error
    except Busy:
        raise busy() from None
    except Unreachable as error:
        raise unreachable() from error


def busy() -> HostError:
    return HostError(
        "DATABASE_BUSY",
        503,
        f"No database connection became free within {PATIENCE_S:g} s (database.pool_size).",
        {"retryable": True},
    )


def unreachable() -> HostError:
    return HostError("DATABASE_UNAVAILABLE", 503, "The database does not answer.", {"retryable": True})


async def acquire(source: Source) -> Session:
    """A connection of the pool. Raises 503 DATABASE_BUSY, or DATABASE_UNAVAILABLE when Postgres does not answer."""
    connection = source.free.at_once()
    if connection is not None:
        return connection
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while True:
        left = deadline - loop.time()
        try:
            # Not acquire(timeout=...): that costs a task of its own, a tenth of a whole findOne.
            async with asyncio.timeout(max(left, RECONNECT_PAUSE_S)):
                return await source.free.wait(partial(_prepared, source))
        except TimeoutError:
            raise busy() from None
        except FAILURES as error:
            if not is_lost(error):
                raise translate(error) from error
            if left <= RECONNECT_PAUSE_S:
                raise unreachable() from error
            await asyncio.sleep(RECONNECT_PAUSE_S)


async def _prepared(source: Source, connection: Session) -> Session:
    """Gives a connection that is new its codecs. Known by its backend's number, which is its own until it closes."""
    backend = connection.get_server_pid()
    if backend not in source.prepared:
        try:
            await set_codecs(connection)
            connection.add_termination_listener(lambda _: source.prepared.discard(backend))
        except BaseException:
            with contextlib.suppress(*FAILURES):
                await source.pool.release(connection)
            raise
        source.prepared.add(backend)
    return connection


def terminate(connection: Session) -> None:
    """Closes the socket at once. A connection that was closed already has left its proxy, which then objects."""
    with contextlib.suppress(InterfaceError):
        connection.terminate()


async def release(source: Source, connection: Session, *, leaves_state: bool = False) -> None:
    """Gives it back, with `leaves_state` only after a reset; what breaks meanwhile the pool replaces."""
    if not leaves_state and usable(connection) and not connection.is_in_transaction():
        source.free.give(connection)
        return
    with contextlib.suppress(*FAILURES):
        if leaves_state and not connection.is_closed():
            mark_dirty(connection)
            await connection.execute("DISCARD TEMP")
    with contextlib.suppress(*FAILURES):
        await source.free.retire(connection)


async def run(source: Source, work: Callable[[Session], Awaitable[T]], *, read: bool, leaves_state: bool = False) -> T:
    """`work` on a connection of its own. Host errors as `translate` says; other exceptions pass through."""
    reads, dead = 1 if read else 0, MAX_DEAD_CONNECTIONS
    while True:
        connection = await acquire(source)
        try:
            return await work(connection)
        except FAILURES as error:
            if dead and is_unsent(error):
                dead -= 1
                terminate(connection)
            elif reads and is_lost(error):
                reads -= 1
            else:
                raise translate(error) from error
        finally:
            await release(source, connection, leaves_state=leaves_state)
