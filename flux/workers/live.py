"""The host that answers from the world: each call is a task over the capabilities in `flux.workers.host`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import FluxError
from ..failure import HostError
from ..record.javascript import dumps
from .execution import OFFSET, Execution
from .host.scope import Scope

log = logging.getLogger("flux.worker")

# A pending timer does not keep an execution alive: it ends when the handler settles, as a browser's page would.
BACKGROUND = frozenset({"timer"})


Perform = Callable[[Scope, str, Any, int], Awaitable[bytes]]


class LiveHost:
    """Runs the calls of one execution; see `flux.workers.execution.Host`. `perform` carries one out."""

    __slots__ = ("_awaited", "_execution", "_perform", "_scope", "_tasks", "_then")

    def __init__(self, execution: Execution, scope: Scope, perform: Perform) -> None:
        self._execution = execution
        self._scope = scope
        self._perform = perform
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._awaited = 0
        self._then: Callable[[], None] | None = None

    def call(self, id: int, op: str, args: bytes, parsed: Any) -> None:
        self._awaited += op not in BACKGROUND
        self._tasks[id] = asyncio.get_running_loop().create_task(self._answer(id, op, parsed))

    def cancel(self, id: int) -> None:
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()

    @property
    def busy(self) -> bool:
        return self._awaited > 0

    def when_settled(self, then: Callable[[], None]) -> None:
        self._then = then

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._scope.close()

    @property
    def holds_nothing(self) -> bool:
        """True when `close` has nothing to do, which spares the common execution a task."""
        return not self._tasks and not self._scope.transactions

    async def _answer(self, id: int, op: str, args: Any) -> None:
        try:
            result, ok = await self._perform(self._scope, op, args, id + OFFSET), True
        except FluxError as error:
            result, ok = error_payload(error), False
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("host call %s failed", op)
            result, ok = error_payload(FluxError(f"The host call {op} failed inside Flux.")), False
        finally:
            del self._tasks[id]
            self._awaited -= op not in BACKGROUND
        self._execution.settle(id, ok, result, secret=op == "secrets.get")
        if self._then is not None and not self._awaited:
            then, self._then = self._then, None
            then()


def error_payload(error: FluxError) -> bytes:
    """How a host error reaches JavaScript, as an Error with these properties."""
    if isinstance(error, HostError):
        return error.payload()
    return dumps({"code": error.code, "status": error.status, "message": error.message})
