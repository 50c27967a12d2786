"""The few sessions that all single statements of a worker share.

Statements wait in one line. A session that is idle takes its share of it, a few at once, and sends them in one write;
so the busier it gets, the fewer system calls and wake-ups a statement costs. Who waits is bound to no session: behind a
statement that takes long (it waits for a lock, or scans) are only those that left together with it. A caller who holds
a transaction leaves alone (`alone`): behind a statement that waits for that transaction's locks it would wait for
itself.

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

# Statements that leave together. More would save little, and delay whoever comes last.
MAX_BATCH = 8
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
    __slots__ = ("alone", "deadline", "parameters", "reply", "session", "statement")

    def __init__(
        self, statement: str, parameters: Sequence[bytes | None], alone: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.statement = statement
        self.parameters = parameters
        self.alone = alone
        self.deadline = loop.time() + PATIENCE_S
        self.session: Session | None = None
        self.reply: asyncio.Future[Reply] = loop.create_future()


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
        self._line: deque[_Waiting] = deque()
        self._dispatching = False
        self._opening: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._closed = False

    async def run(
        self, statement: str, parameters: Sequence[bytes | None], *, read: bool, alone: bool = False
    ) -> list[bytes | None]:
        """The first column of the statement's rows.

        Raises asyncpg's exceptions for what the server says, Busy, Unreachable (also once the lanes are closed).
        """
        reads, dead = (self._size + 1 if read else 0), MAX_DEAD
        if self._sweep is None:
            self._watch()
        while True:
            if self._closed:
                raise Unreachable
            waiting = _Waiting(statement, parameters, alone, self._loop)
            self._line.append(waiting)
            self._dispatch_soon()
            try:
                return (await waiting.reply).rows
            except _NOT_EXECUTED:
                if not dead:
                    raise
                dead -= 1
            except asyncpg.PostgresError:
                if not reads or waiting.session is None or not waiting.session.closed:
                    raise
                reads -= 1

    async def close(self) -> None:
        """Closes all sessions; calls that wait are refused."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._sweep is not None:
            self._sweep.cancel()
        for waiting in self._line:
            if not waiting.reply.done():
                waiting.reply.set_exception(Unreachable())
        self._line.clear()
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._sessions.clear()

    def _dispatch_soon(self) -> None:
        """In the loop's next turn, so that what is asked in this one leaves together."""
        if not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Gives each idle session its share of the line."""
        self._dispatching = False
        line = self._line
        if not line:
            return
        idle, gone = [], False
        for session in self._sessions:
            if session.closed:
                gone = True
            elif not session.depth:
                idle.append(session)
        if gone:
            self._sessions = [session for session in self._sessions if not session.closed]
        if len(line) > len(idle) and len(self._sessions) < self._size:
            self._open()
        for number, session in enumerate(idle):
            share = -(-len(line) // (len(idle) - number))
            batch = self._take(min(share, MAX_BATCH))
            if not batch:
                return
            session.submit_all([(each.statement, each.parameters, each.reply) for each in batch])
            for each in batch:
                each.session = session

    def _take(self, most: int) -> list[_Waiting]:
        """The first in line, as many as may leave together."""
        line = self._line
        batch: list[_Waiting] = []
        while line and len(batch) < most:
            if line[0].reply.done():  # its caller has given up
                line.popleft()
            elif line[0].alone:
                if batch:
                    break
                return [line.popleft()]
            else:
                batch.append(line.popleft())
        return batch

    def _open(self) -> None:
        if self._opening is None and not self._closed:
            self._opening = self._loop.create_task(self._open_one())
        self._watch()

    async def _open_one(self) -> None:
        """One session more; while somebody waits and there is none, again and again."""
        try:
            while not self._closed:
                try:
                    session = await self._connect()
                except (*LOST_CONNECTION, asyncpg.PostgresError, ValueError) as error:
                    self._failure = error
                    if not self._line:
                        return
                    await asyncio.sleep(RECONNECT_PAUSE_S)
                else:
                    session.when_idle = self._dispatch_soon
                    self._sessions.append(session)
                    self._failure = None
                    return
        finally:
            self._opening = None
            self._dispatch_soon()

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
        line = self._line
        while line and (line[0].deadline < now or line[0].reply.done()):
            first = line.popleft()
            if not first.reply.done():
                first.reply.set_exception(self._impatient())
        self._dispatch_soon()
        if line or any(session.depth for session in self._sessions):
            self._watch()

    def _impatient(self) -> Exception:
        if any(not session.closed for session in self._sessions):
            return Busy()
        error = Unreachable()
        error.__cause__ = self._failure
        return error
