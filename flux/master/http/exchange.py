"""One request and its response on a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flux.master.http.head import Head

if TYPE_CHECKING:
    from flux.master.http.connection import Connection


class Exchange:
    """Made when a head has arrived (or what stands there cannot be read: `head` is None).

    `body` is None until the request is complete, and stays None when it has none. `started_us` is wall-clock time,
    `started` that of time.perf_counter (the loop's clock is too coarse to measure with), both when the head was there.
    `state` belongs to the front; `on_lost` is called if the caller goes away before the response is finished.
    """

    __slots__ = ("_connection", "body", "head", "keep_alive", "on_lost", "responded", "started", "started_us", "state")

    def __init__(self, connection: Connection, head: Head | None, *, started: float, started_us: int) -> None:
        self._connection = connection
        self.head = head
        self.body: bytes | None = None
        self.keep_alive = head is not None and head.keep_alive
        self.responded = False
        self.started = started
        self.started_us = started_us
        self.state: Any = None
        self.on_lost: Callable[[], object] | None = None

    @property
    def remote(self) -> str:
        return self._connection.remote

    @property
    def trusted(self) -> bool:
        return self._connection.trusted

    @property
    def lost(self) -> bool:
        """Whether the caller is gone."""
        return self._connection.lost

    @property
    def http10(self) -> bool:
        return self.head is not None and self.head.http10

    @property
    def head_only(self) -> bool:
        return self.head is not None and self.head.method == "HEAD"

    def finish(self, response: bytes) -> None:
        """Sends the whole response; without effect when the caller is gone. Once per exchange."""
        assert not self.responded, "an exchange is answered once"
        self.responded = True
        self._connection.finish(self, response)

    def begin(self, start: bytes) -> None:
        """Sends the start of a stream; `write` and `end` follow."""
        assert not self.responded, "an exchange is answered once"
        self.responded = True
        self._connection.write(start)

    async def write(self, data: bytes) -> None:
        """Sends a part of a stream and waits while the caller reads slowly. Raises ConnectionError when it is gone."""
        if data:
            await self._connection.write_part(data if self.http10 else b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """The stream is complete."""
        self._connection.finish(self, b"" if self.http10 else b"0\r\n\r\n")

    def abort(self) -> None:
        """The stream cannot be completed: the caller sees a broken connection, not a short answer."""
        self._connection.abort()
