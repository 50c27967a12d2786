"""`db.begin`, `db.commit`, `db.rollback`: one connection pinned to one execution, its statements one after the other.

    open ──statement fails──▶ failed ──rollback──▶ closed
     │ └──idle or open too long──▶ expired ──commit, rollback──▶ closed
     └──commit, rollback──▶ closed

A `db.begin` that carries `tx` opens a savepoint. While it is open, only the innermost takes statements: whoever mixed
the two could not say what a rollback undoes. Rolling a savepoint back mends a failure inside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

import asyncpg

from flux.failure import HostError

from .connection import FAILURES, Source, release, terminate
from .database_errors import is_lost, translate
from .free import Session

if TYPE_CHECKING:
    from .login import Login
    from .scope import Scope

T = TypeVar("T")
State = Literal["open", "failed", "expired", "closed"]

# A pinned connection is missing to everybody else, and holds locks: nobody computes for 10 s between two statements.
IDLE_S = 10.0
# The default wall limit of a function; a longer transaction belongs into a job that works in steps.
LIFETIME_S = 30.0
# A rollback that takes longer meets a dead connection, which is closed instead.
ROLLBACK_TIMEOUT_S = 2.0


@dataclass(slots=True, eq=False)
class Pinned:
    """What a transaction and the savepoints in it share. `login`: as whom it runs, None for Flux' own user.

    `ending`: what goes with the commit.
    """

    scope: Scope
    source: Source
    connection: Session
    login: Login | None = None
    ending: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    innermost: Transaction | None = None
    jobs_pushed: bool = False
    leaves_state: bool = False
    released: bool = False
    idle: asyncio.TimerHandle | None = None
    lifetime: asyncio.TimerHandle | None = None

    async def release(self) -> None:
        """Gives the connection back. One that is still within a transaction is closed: Postgres then rolls back."""
        if self.released:
            return
        for timer in (self.idle, self.lifetime):
            if timer is not None:
                timer.cancel()
        if self.usable and self.connection.is_in_transaction():
            terminate(self.connection)
        self.released = True
        await release(self.source, self.connection, leaves_state=self.leaves_state)

    def terminate(self) -> None:
        if not self.released:
            terminate(self.connection)

    @property
    def usable(self) -> bool:
        try:
            return not self.released and not self.connection.is_closed()
        except asyncpg.InterfaceError:  # a connection that breaks leaves its proxy
            return False


@dataclass(slots=True, eq=False)
class Transaction:
    """A transaction, or (with `outer`) a savepoint in one."""

    number: int
    pinned: Pinned
    outer: Transaction | None = None
    state: State = "open"

    @property
    def depth(self) -> int:
        return 0 if self.outer is None else self.outer.depth + 1

    async def run(self, work: Callable[[Session], Awaitable[T]], *, leaves_state: bool = False) -> T:
        """`work` on the pinned connection, after what was asked before. An error of Postgres aborts the transaction."""
        async with self.pinned.lock:
            self._require_usable()
            self.pinned.leaves_state |= leaves_state
            self._stop_idling()
            try:
                return await work(self.pinned.connection)
            except FAILURES as error:
                self._failed(error)
                raise translate(error) from error
            finally:
                self._touch()

    def identity(self, span: int) -> str:
        """Whose mutations those of the host call `span` are, as this connection is believed."""
        login = self.pinned.login
        if login is None:
            return self.pinned.scope.identity(span)
        return self.pinned.scope.identity(span, key=login.identity_key, pid=self.pinned.connection.get_server_pid())

    def pushed(self) -> None:
        """Notes that a job waits for the commit."""
        self.pinned.jobs_pushed = True

    async def begin(self, begin: Callable[[Session], Awaitable[object]]) -> None:
        async with self.pinned.lock:
            if self.outer is not None:
                self.outer._require_usable()
            try:
                await begin(self.pinned.connection)
            except FAILURES as error:
                raise translate(error) from error
            self.pinned.innermost = self
            self._touch()

    async def commit(self) -> None:
        """Raises TRANSACTION_ABORTED (and rolls back) when a statement had failed, or what the commit raises."""
        async with self.pinned.lock:
            if self.state == "failed":
                await self._undo()
                raise _aborted()
            self._require_usable()
            try:
                await self.pinned.connection.execute(self._committing)
            except FAILURES as error:
                self._failed(error)
                if self.outer is None:
                    await self._close()
                raise translate(error) from error
            await self._close()
        if self.outer is None and self.pinned.jobs_pushed:
            self.pinned.scope.services.nudge()

    async def rollback(self) -> None:
        """Undoes it; an open savepoint in it goes with it. What is closed already stays so."""
        async with self.pinned.lock:
            if self.state != "closed":
                await self._undo()

    async def abandon(self) -> None:
        """Rolls back the outermost and gives its connection back, whatever state it is in, within a bounded time."""
        try:
            async with asyncio.timeout(ROLLBACK_TIMEOUT_S):
                await self.rollback()
        except (TimeoutError, *FAILURES):
            self.pinned.terminate()
        await self._close()

    @property
    def _committing(self) -> str:
        return "COMMIT" + self.pinned.ending if self.outer is None else f"RELEASE SAVEPOINT {self.savepoint}"

    @property
    def savepoint(self) -> str:
        return f"flux_{self.number}"

    def _require_usable(self) -> None:
        if self.state == "failed":
            raise _aborted()
        if self.state == "expired":
            raise HostError(
                "TRANSACTION_EXPIRED",
                409,
                f"The transaction was rolled back: idle for {IDLE_S:g} s, or open for {LIFETIME_S:g} s.",
            )
        if self.state == "closed":
            raise closed(self.number)
        if self.pinned.innermost is not self:
            raise HostError("TRANSACTION_BUSY", 409, "A transaction within this one is still open; use that one.")

    def _failed(self, error: Exception) -> None:
        """Postgres refuses all that follows; errors that asyncpg itself raised have not reached it."""
        lost = is_lost(error)
        if lost:
            self.pinned.terminate()
        if self.state == "open" and (lost or isinstance(error, asyncpg.PostgresError)):
            self.state = "failed"

    async def _undo(self) -> None:
        if self.pinned.usable:
            name = self.savepoint
            statement = "ROLLBACK" if self.outer is None else f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
            try:
                await self.pinned.connection.execute(statement)
            except FAILURES:
                self.pinned.terminate()
        await self._close()

    async def _close(self) -> None:
        inner = self.pinned.innermost
        while inner is not None and inner is not self:
            inner.state = "closed"
            inner = inner.outer
        if self.state != "expired":
            self.state = "closed"
        self.pinned.innermost = self.outer
        if self.outer is None:
            await self.pinned.release()
        elif not self.pinned.usable:
            self.outer.state = "failed"

    def _stop_idling(self) -> None:
        if self.pinned.idle is not None:
            self.pinned.idle.cancel()

    def _touch(self) -> None:
        """Sets the idle timer anew; the first call sets the lifetime's, too."""
        pinned = self.pinned
        self._stop_idling()
        if pinned.released:
            return
        loop = asyncio.get_running_loop()
        pinned.idle = loop.call_later(IDLE_S, self._expire)
        if pinned.lifetime is None:
            pinned.lifetime = loop.call_later(LIFETIME_S, self._expire)

    def _expire(self) -> None:
        """Ends the whole transaction, from a timer."""
        transaction = self.pinned.innermost
        while transaction is not None:
            transaction.state = "expired"
            outermost, transaction = transaction, transaction.outer
            if transaction is None:
                self.pinned.scope.services.background(outermost.abandon())


def _aborted() -> HostError:
    return HostError("TRANSACTION_ABORTED", 409, "An earlier statement failed; the transaction must be rolled back.")


def closed(number: int) -> HostError:
    return HostError("TRANSACTION_CLOSED", 409, f"Transaction {number} is not open: it has ended, or was never begun.")
