"""The few sessions that all single statements of a worker share, and which of them takes the next one.

Choice: an idle session; else a new one while there are fewer than allowed; else the one with the fewest statements
outstanding. Nobody is put behind a statement that has been running for long (it waits for a lock, or scans), nor
anybody at all who holds a transaction (`alone`): behind a statement that waits for that transaction's locks it would
wait for itself.

What may be tried again: whatever was not executed, and a read whose connection broke (as often as there may be
connections that have broken with it). Never a write that may have been carried out: its outcome is unknown, and the
caller must know.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from ..pool import LOST_CONNECTION, session_settings, silence_s
from .messages import Reply
from .session import NotExecuted, Session, connect

# Statements in line on one session. More would not raise its throughput, but delay whoever comes last.
MAX_DEPTH = 16
# By key, a statement takes under a millisecond; behind one that takes longer than this, nobody else is put.
SLOW_S = 0.02
# A call that found no session for so long meets a database that is stuck, or not coming back soon; it stays well below
# the default wall limit, so that the function can still answer something.
PATIENCE_S = 5.0
# Postgres restarts in about a second: often enough to notice, seldom enough not to hinder it.
RECONNECT_PAUSE_S = 0.1
# How often waiting calls and silent sessions are looked at.
SWEEP_S = 0.25
# Sessions that turn out to be dead before anything was executed, met by one call.
MAX_DEAD = 64


class Busy(Exception):
    """No session became free in time."""


class Unreachable(Exception):
    """The server could not be reached in time; the cause is in `__cause__`."""


def open_lanes(url: str, size: int, *, statement_timeout_ms: int, application_name: str = "flux") -> Lanes:
    """Lanes whose sessions are opened when they are needed. `statement_timeout_ms` 0 = none."""
    settings = session_settings(application_name, statement_timeout_ms)
    return Lanes(lambda: connect(url, settings=settings), size, silence_s=silence_s(statement_timeout_ms))


class _Waiting:
    __slots__ = ("alone", "deadline", "parameters", "statement", "taken")

    def __init__(
        self, statement: str, parameters: Sequence[bytes | None], alone: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.statement = statement
        self.parameters = parameters
        self.alone = alone
        self.deadline = loop.time() + PATIENCE_S
        self.taken: asyncio.Future[tuple[Session, asyncio.Future[Reply]]] = loop.create_future()


# Nothing has been executed under a name that the server does not know, nor of a plan that DDL has made invalid.
_NOT_EXECUTED = (NotExecuted, asyncpg.InvalidSQLStatementNameError, asyncpg.InvalidCachedStatementError)


class Lanes:
    """`connect` opens a session; `silence_s` is how long a statement may go without a reply (None: for ever)."""

    def __init__(self, connect: Callable[[], Awaitable[Session]], size: int, *, silence_s: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect = connect
        self._size = size
        self._silence_s = silence_s
        self._sessions: list[Session] = []
        self._waiting: deque[_Waiting] = deque()
        self._opening: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._closed = False

    async def run(
        self, statement: str, parameters: Sequence[bytes | None], *, read: bool, alone: bool = False
    ) -> list[bytes | None]:
        """The first column of the statement's rows.

        Raises asyncpg's exceptions for what the server says, Busy, Unreachable.
        """
        reads, dead = (self._size + 1 if read else 0), MAX_DEAD
        if self._sweep is None:
            self._watch()
        while True:
            session = self._choose(alone)
            if session is not None:
                future = session.submit(statement, parameters)
            else:
                session, future = await self._in_line(statement, parameters, alone)
            try:
                return (await future).rows
            except _NOT_EXECUTED:
                if not dead:
                    raise
                dead -= 1
            except asyncpg.PostgresError:
                if not reads or not session.closed:
                    raise
                reads -= 1
            finally:
                if self._waiting:
                    self._serve()

    async def close(self) -> None:
        """Closes all sessions; calls that wait are refused."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._sweep is not None:
            self._sweep.cancel()
        for waiting in self._waiting:
            waiting.taken.cancel()
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._sessions.clear()

    def _choose(self, alone: bool) -> Session | None:
        best, least = None, MAX_DEPTH
        slow = self._loop.time() - SLOW_S
        gone = False
        for session in self._sessions:
            if session.closed:
                gone = True
                continue
            depth = session.depth
            if not depth:
                return session
            if depth < least and session.since > slow:
                best, least = session, depth
        if gone:
            self._sessions = [session for session in self._sessions if not session.closed]
        if len(self._sessions) < self._size:
            self._open()
        return None if alone else best

    async def _in_line(
        self, statement: str, parameters: Sequence[bytes | None], alone: bool
    ) -> tuple[Session, asyncio.Future[Reply]]:
        waiting = _Waiting(statement, parameters, alone, self._loop)
        self._waiting.append(waiting)
        self._watch()
        return await waiting.taken

    def _serve(self) -> None:
        """Takes up those who wait, in order."""
        while self._waiting:
            first = self._waiting[0]
            if not first.taken.done():
                session = self._choose(first.alone)
                if session is None:
                    return
                first.taken.set_result((session, session.submit(first.statement, first.parameters)))
            self._waiting.popleft()

    def _open(self) -> None:
        if self._opening is None and not self._closed:
            self._opening = self._loop.create_task(self._open_one())
        self._watch()

    async def _open_one(self) -> None:
        """One session more; while somebody waits and there is none, again and again."""
        try:
            while not self._closed:
                try:
                    self._sessions.append(await self._connect())
                    self._failure = None
                except (*LOST_CONNECTION, asyncpg.PostgresError, ValueError) as error:
                    self._failure = error
                    if not self._waiting:
                        return
                    await asyncio.sleep(RECONNECT_PAUSE_S)
                else:
                    return
        finally:
            self._opening = None
            if self._waiting:
                self._loop.call_soon(self._serve)

    def _watch(self) -> None:
        if self._sweep is None and not self._closed:
            self._sweep = self._loop.call_later(SWEEP_S, self._look)

    def _look(self) -> None:
        """Gives up on sessions that are silent, and on calls that have waited too long."""
        self._sweep = None
        now = self._loop.time()
        for session in list(self._sessions):
            if self._silence_s is not None and session.depth and now - session.since > self._silence_s:
                session.terminate()
        while self._waiting and (self._waiting[0].deadline < now or self._waiting[0].taken.done()):
            first = self._waiting.popleft()
            if not first.taken.done():
                first.taken.set_exception(self._impatient())
        self._serve()
        if self._waiting or any(session.depth for session in self._sessions):
            self._watch()

    def _impatient(self) -> Exception:
        if any(not session.closed for session in self._sessions):
            return Busy()
        error = Unreachable()
        error.__cause__ = self._failure
        return error
