"""The worker's end of its results ring: answers to requests, and what the worker says for itself.

What finds no room waits in a task of its own, behind what waits already; nothing that was said gets lost.
"""

from __future__ import annotations

from typing import Final

from ..ipc.channel import Sender
from ..ipc.wire import ResultKind, pack_result
from .tasks import Tasks

NOBODY: Final = bytes(16)  # the tag of what answers no request


class ResultWriter:
    """Writes to the ring, now or as soon as there is room."""

    def __init__(self, sender: Sender, tasks: Tasks) -> None:
        self._sender = sender
        self._tasks = tasks

    def answer(self, request_id: bytes, status: int, headers: bytes, body: bytes) -> None:
        """`headers` is JSON pairs, or nothing for those of a common answer."""
        parts = pack_result(status, headers, body)
        if not self._sender.send(ResultKind.RESULT, request_id, *parts):
            self._tasks.spawn(self._sender.send_all(ResultKind.RESULT, request_id, b"".join(parts)))

    def say(self, kind: ResultKind, payload: bytes = b"") -> None:
        """Tells the master something about this worker."""
        if not self._sender.send(kind, NOBODY, payload):
            self._tasks.spawn(self._sender.send_all(kind, NOBODY, payload))
