"""One connection on which statements run one behind the other, sent without waiting for the one before.

Theory of operation. Each statement is a transaction of its own: Bind, Execute, Sync. The server works through them in
order and answers in order, so the n-th reply belongs to the n-th statement that is outstanding. What leaves together
leaves in one write, and the server, which finds the next statement in its socket, need not sleep in between: that saves
most of the system calls and wake-ups on both sides.

- A statement is prepared under a name the first time; until that has succeeded, the same text goes without a name.
- When the connection ends, everything outstanding fails. What certainly was not carried out fails with `NotExecuted`,
  so that a write, too, can be tried on another connection: that is all behind a statement which the server answered
  with its farewell. The outcome of the rest is unknown.

asyncpg makes the connection (TLS, passwords, settings are its trade) and then hands over its transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import asyncpg

from . import messages
from .messages import Reply

# Texts kept prepared on one connection; as many shapes of queries as a team has, and a bound for those it makes up.
MAX_PREPARED = 1000
# A server that does not take what is still to be sent to it does not hold up who closes the connection.
FAREWELL_S = 2.0
LAST_WORDS = 65536  # octets


class NotExecuted(asyncpg.PostgresConnectionError):
    """The connection ended before the server looked at this statement: it can be tried again."""


class _Outstanding:
    __slots__ = ("future", "naming", "statement")

    def __init__(self, future: asyncio.Future[Reply] | None, statement: str, naming: bytes) -> None:
        self.future = future
        self.statement = statement
        self.naming = naming  # the name under which it prepares the statement


class Session(asyncio.Protocol):
    """Made by `connect`. Not safe for threads: it belongs to its loop."""

    def __init__(self, connection: asyncpg.Connection[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._transport = cast(asyncio.Transport, connection._transport)  # type: ignore[attr-defined]  # see above
        self._reader = messages.Reader()
        self._outstanding: deque[_Outstanding] = deque()
        self.when_idle: Callable[[], None] | None = None  # called whenever nothing is outstanding any more
        self._names: dict[str, bytes] = {}
        self._pending: set[str] = set()
        self._numbers = 0
        self.closed = False
        self.since = 0.0  # loop time at which the server took up what it works on
        self.backend = connection.get_server_pid()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._spare = _spare(self._transport)

    @property
    def depth(self) -> int:
        """Statements that wait for their reply."""
        return len(self._outstanding)

    def submit(self, statement: str, parameters: Sequence[bytes | None]) -> asyncio.Future[Reply]:
        """The reply comes with its rows; a statement that fails raises the asyncpg.PostgresError that it deserves."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.submit_all([(statement, parameters, future)])
        return future

    def submit_all(self, statements: Sequence[tuple[str, Sequence[bytes | None], asyncio.Future[Reply]]]) -> None:
        """Sends them in one write. What becomes of each goes into its future."""
        if self.closed:
            for _, _, future in statements:
                future.set_exception(NotExecuted("the connection is closed"))
            return
        if not self._outstanding:
            self.since = self._loop.time()
        self._transport.write(b"".join([self._message(*each) for each in statements]))

    def _message(self, statement: str, parameters: Sequence[bytes | None], future: asyncio.Future[Reply]) -> bytes:
        name, naming, message = self._names.get(statement, b""), b"", b""
        if not name:
            if statement not in self._pending:
                self._numbers += 1
                name = naming = b"f%d" % self._numbers
                self._pending.add(statement)
            message = messages.parse(name, statement)
        self._outstanding.append(_Outstanding(future, statement, naming))
        return message + messages.execute(name, parameters)

    def terminate(self) -> None:
        """Closes the socket at once."""
        self._connection.terminate()
        self.connection_lost(None)

    async def close(self) -> None:
        """Says goodbye; what the server has received is carried out, but its replies are lost."""
        if not self.closed:
            self._transport.write(messages.TERMINATE)
            self._transport.close()
        await asyncio.wait([self.ended], timeout=FAREWELL_S)
        if not self.closed:
            self.terminate()

    # What the transport says.

    def data_received(self, data: bytes) -> None:
        try:
            answered = self._take(data)
        except messages.ProtocolViolation:
            self.terminate()
            return
        if answered:
            self.since = self._loop.time()
            if not self._outstanding and self.when_idle is not None:
                self.when_idle()
        if self._reader.farewell is not None:
            self.terminate()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._hear_last_words()
        self._connection.terminate()
        if self.when_idle is not None:
            self.when_idle()
        if not self.ended.done():
            self.ended.set_result(None)
        farewell = self._reader.farewell
        outstanding, self._outstanding = self._outstanding, deque()
        for number, entry in enumerate(outstanding):
            if entry.future is None or entry.future.done():
                continue
            if number > 0 and farewell:
                entry.future.set_exception(NotExecuted("the connection ended before the statement was run"))
            elif farewell:
                entry.future.set_exception(_error(farewell))
            else:
                entry.future.set_exception(asyncpg.ConnectionDoesNotExistError("the connection was closed"))

    def _hear_last_words(self) -> None:
        """When writing finds a connection closed, the transport reads no more: its farewell would be lost, and what was
        written in vain would look as if it might have been carried out.
        """
        if self._spare is None:
            return
        with self._spare, contextlib.suppress(OSError, messages.ProtocolViolation):
            while self._reader.farewell is None and (data := self._spare.recv(LAST_WORDS, socket.MSG_DONTWAIT)):
                self._take(data)
        self._spare = None

    def _take(self, data: bytes) -> bool:
        """Whether statements were answered by it."""
        replies = self._reader.feed(data)
        for reply in replies:
            self._settle(self._outstanding.popleft(), reply)
        return bool(replies)

    def _settle(self, entry: _Outstanding, reply: Reply) -> None:
        if entry.naming:
            self._pending.discard(entry.statement)
            if reply.parsed:
                self._remember(entry.statement, entry.naming)
        elif reply.error is not None and reply.error.get("C") in _FORGOTTEN:
            self._names.pop(entry.statement, None)
        if entry.future is None or entry.future.done():
            return
        if reply.error is None:
            entry.future.set_result(reply)
        else:
            entry.future.set_exception(_error(reply.error))

    def _remember(self, statement: str, name: bytes) -> None:
        if len(self._names) >= MAX_PREPARED:
            oldest = next(iter(self._names))
            self._outstanding.append(_Outstanding(None, "", b""))
            self._transport.write(messages.close(self._names.pop(oldest)))
        self._names[statement] = name


# The statement's plan, or its name, is no longer good on this connection: prepare it anew the next time.
_FORGOTTEN = frozenset(("0A000", "26000"))


def _spare(transport: asyncio.Transport) -> socket.socket | None:
    """The transport's socket once more, which outlives it. None where what comes out of it is encrypted."""
    if transport.get_extra_info("ssl_object") is not None:
        return None
    own = transport.get_extra_info("socket")
    return socket.socket(own.family, own.type, own.proto, fileno=os.dup(own.fileno()))


def _error(fields: dict[str, str]) -> asyncpg.PostgresError:
    return asyncpg.PostgresError.new(fields)


async def connect(url: str, *, settings: dict[str, str]) -> Session:
    """Opens a connection with these server settings. Raises what `asyncpg.connect` raises."""
    loop = asyncio.get_running_loop()
    connection = await asyncpg.connect(url, server_settings=settings)
    session = Session(connection, loop)
    session._transport.set_protocol(session)
    return session
