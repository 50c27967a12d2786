"""Connections to Postgres."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.exceptions import InternalClientError

if TYPE_CHECKING:
    from typing import TypeAlias

    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    _Base = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    _Base = asyncpg.Connection

# What it looks like when Postgres restarts, or somebody ends our session: try again on another connection.
LOST_CONNECTION = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    InternalClientError,  # the server's farewell arrived between two statements
    asyncpg.OperatorInterventionError,  # the server shuts down, starts up, or an administrator ended the session
    asyncpg.InsufficientResourcesError,  # too many connections, disk full: passes, or somebody is already at it
)

# The server ends a statement at its timeout; this much later the client stops waiting for a server that is gone.
SILENCE_MARGIN_S = 5.0


class TrackedConnection(_Base):
    """A connection that knows whether its session may have been changed, and so must be reset before the next user."""

    __slots__ = ("dirty",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dirty = False

    def mark_dirty(self) -> None:
        self.dirty = True


def mark_dirty(conn: Connection) -> None:
    """Say that raw SQL ran here: it may have SET something, LISTENed, taken session locks or made temporary tables."""
    conn.mark_dirty()  # type: ignore[union-attr]  # a pool's proxy passes it on to its TrackedConnection


async def open_pool(
    url: str,
    size: int,
    *,
    statement_timeout_ms: int,
    application_name: str = "flux",
    min_size: int = 1,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Pool:
    """A pool of at most `size` connections (`min_size` are opened now, so that a wrong URL fails here).

    Giving a connection back costs no round trip unless `mark_dirty` was called on it. An open transaction is always
    rolled back. `statement_timeout_ms` 0 = none. `settings`: what else sessions ask of the server.
    """
    return await asyncpg.create_pool(
        url,
        min_size=min(min_size, size),
        max_size=size,
        connection_class=TrackedConnection,
        reset=_reset,
        command_timeout=silence_s(statement_timeout_ms),
        server_settings={**session_settings(application_name, statement_timeout_ms), **settings},
    )


def session_settings(application_name: str, statement_timeout_ms: int) -> dict[str, str]:
    """What each of our sessions asks of the server."""
    return {
        "application_name": application_name,
        # Types that travel as text do so in one form, whatever the database is set to.
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "extra_float_digits": "1",  # the shortest text that reads back as the same number
        "statement_timeout": str(statement_timeout_ms),
        # Short queries: compiling costs more than it saves. Already off in the embedded server.
        "jit": "off",
    }


def silence_s(statement_timeout_ms: int) -> float | None:
    """After so long without an answer the server is taken for gone; None: never."""
    return statement_timeout_ms / 1000 + SILENCE_MARGIN_S if statement_timeout_ms else None


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncGenerator[Connection]:
    """A connection of the pool, which is closed and replaced when what is done with it raises LOST_CONNECTION."""
    async with pool.acquire() as connection:
        try:
            yield connection
        except LOST_CONNECTION:
            with suppress(asyncpg.InterfaceError):  # it has left the pool by itself
                connection.terminate()
            raise


async def _reset(conn: Connection) -> None:
    assert isinstance(conn, TrackedConnection)
    if conn.dirty:
        # RESET ALL returns to the settings given at connection, so the timeout above survives.
        await conn.execute(conn.get_reset_query())
        conn.dirty = False
