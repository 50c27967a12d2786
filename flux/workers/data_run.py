"""Runs one execution of a data route: what an isolate is to a function's, but in Python, and with one host call.

It takes what `Execution` says to an isolate and says what an isolate would; so recording, replay, time limits and the
host are the same. What it says comes from the loop, never from within a call, as an isolate's does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import orjson

from ..data.routes.request import Asked, Request, read_request
from ..data.routes.response import Response, respond
from ..failure import HostError
from ..manifest import DataRoute
from .isolate.protocol import Call, Done, Event, Failed

QUERY: Final = 1  # the numbers of its host calls
COUNT: Final = 2

# A defect of ours, or of the database's own functions: what Postgres says about it is for the record.
_INTERNAL: Final = frozenset(("DATABASE_ERROR", "INVALID_SQL", "SQL_DENIED"))
_JSON: Final = ("content-type", "application/json")


class DataRun:
    """One per execution. `matched`: the declared path that the request came by; answers have at most `limit` bytes."""

    __slots__ = ("_asked", "_limit", "_loop", "_matched", "_number", "_on_events", "_result", "_route")

    def __init__(
        self,
        route: DataRoute,
        matched: str,
        *,
        limit: int,
        on_events: Callable[[list[Event]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._route = route
        self._matched = matched
        self._limit = limit
        self._on_events = on_events
        self._loop = loop
        self._number = 0
        self._asked: Asked | None = None
        self._result = b""

    def start(
        self, execution: int, *, started_us: int, seed: bytes, request: bytes, body: bytes | None, context: bytes
    ) -> None:
        self._number = execution
        sent = orjson.loads(request)
        try:
            asked = self._asked = read_request(
                self._route,
                Request(sent["method"], self._matched, sent["params"], sent["query"], sent["headers"], body),
            )
            self._call(QUERY, asked.arguments())
        except HostError as error:
            self._fail(error.payload())

    def answer(self, execution: int, call: int, *, clock_us: int, ok: bool, payload: bytes) -> None:
        asked = self._asked
        if asked is None or not self._number:
            return
        if not ok:
            self._fail(payload)
        elif call == QUERY and asked.count:
            self._result = payload
            self._call(COUNT, asked.counting())
        elif call == QUERY:
            self._finish(asked, payload, None)
        else:
            self._finish(asked, self._result, payload)

    def abandon(self, execution: int) -> None:
        self._number = 0

    def _finish(self, asked: Asked, result: bytes, total: bytes | None) -> None:
        try:
            if len(result) > self._limit:
                message = (
                    f"The answer has {len(result)} bytes; {self._limit} are allowed. Ask for fewer rows or columns."
                )
                raise HostError("QUERY_TOO_LARGE", 400, message)
            # Spaced, and with numbers, as a replay has them from the record: outputs are compared to the byte.
            response = respond(asked, orjson.dumps(orjson.loads(result)), total)
        except HostError as error:
            self._fail(error.payload())
        else:
            self._say(done(self._number, response))

    def _call(self, call: int, arguments: bytes) -> None:
        self._say(Call(self._number, call, 0, "db.query", arguments))

    def _fail(self, payload: bytes) -> None:
        error = orjson.loads(payload)
        if error["code"] in _INTERNAL:
            payload = orjson.dumps({"name": error["code"], "message": error["message"]})
        self._say(Failed(self._number, payload))

    def _say(self, event: Event) -> None:
        self._loop.call_soon(self._on_events, [event])


def done(execution: int, response: Response) -> Done:
    if response.status == 200 and not response.headers:  # as most are: the body is what there is
        return Done(execution, "json", response.body)
    headers = [*response.headers, _JSON] if response.body else response.headers
    payload: dict[str, Any] = {"status": response.status, "headers": headers}
    if response.body:
        payload["json"] = orjson.Fragment(response.body)
    return Done(execution, "response", orjson.dumps(payload))
