"""`ctx.function.invoke`: one function asks another, through the master, and gets its output."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import orjson

from ..errors import ExecutionFailed, FluxError
from ..ipc.channel import Sender
from ..ipc.wire import ResultKind, unpack_result
from ..record.execution import uuid_text


class InvokedFunctionFailed(ExecutionFailed):
    """The invoked function failed."""

    code, status = "INVOKE_FAILED", 502


class Invocations:
    """Questions to the master that wait for their answers. The tag of a question is a random ID of its own."""

    def __init__(self, results: Sender) -> None:
        self._results = results
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}

    async def ask(
        self, parent: bytes, function: str, payload: bytes, *, tenant: str | None, user: Mapping[str, Any] | None
    ) -> bytes:
        """Runs `function` with `payload` (JSON) as an execution of its own; returns its output (JSON).

        Raises FluxError with the code and status that the function answered with, when that is 4xx or 5xx.
        """
        tag = os.urandom(16)
        question = orjson.dumps({"function": function, "parent": uuid_text(parent), "tenant": tenant, "user": user})
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[tag] = answer
        try:
            await self._results.send_all(ResultKind.INVOKE, tag, question + b"\n" + payload)
            status, _, body = unpack_result(await answer)
        finally:
            del self._waiting[tag]
        if status >= 400:
            raise _failure(function, status, body)
        return body or b"null"

    def answered(self, tag: bytes, payload: bytes) -> None:
        answer = self._waiting.get(tag)
        if answer is not None and not answer.done():
            answer.set_result(payload)


def _failure(function: str, status: int, body: bytes) -> FluxError:
    try:
        error = orjson.loads(body)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        code, message = InvokedFunctionFailed.code, f"{function} answered with status {status}"
    failure = InvokedFunctionFailed(f"{function}: {message}")
    failure.code, failure.status = code, status
    return failure
