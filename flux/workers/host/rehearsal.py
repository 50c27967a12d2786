"""A function run for show: its database calls are carried out in a transaction that is rolled back, nothing leaves.

All calls of the execution share one transaction, so each sees what those before it have changed. A call that the
function makes on its own has a savepoint, as its failure must not end what others do; a transaction of the function's
is a savepoint that the function ends itself. What no rollback takes back remains: numbers that a sequence gave away.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson

from flux.failure import HostError

from .registry import perform
from .scope import Scope
from .transaction import closed

# What other systems would notice.
_LEAVES: Final = frozenset(("fetch", "invoke"))


class Rehearsal:
    """Carries out the calls of one execution, one database call at a time; closing its scope rolls them back."""

    def __init__(self) -> None:
        self._outermost = 0
        self._one_at_a_time = asyncio.Lock()

    async def perform(self, scope: Scope, op: str, args: Any, span: int) -> bytes:
        """As `flux.workers.host.registry.perform`. Raises 409 NOT_REHEARSED for what would leave the process."""
        if op in _LEAVES:
            raise HostError("NOT_REHEARSED", 409, f"{op} is not carried out in a rehearsal: others would notice.")
        if not (op.startswith("db.") or op == "queue.push") or not isinstance(args, dict):
            return await perform(scope, op, args, span)
        async with self._one_at_a_time:
            if (number := args.get("tx")) is not None:
                if number == self._outermost:  # the function was never told of it
                    raise closed(number)
                return await perform(scope, op, args, span)
            within = await self._innermost(scope, span)
            if op == "db.begin":
                return await perform(scope, op, {"tx": within}, span)
            return await _guarded(scope, op, args, span, within)

    async def _innermost(self, scope: Scope, span: int) -> int:
        """The number of the transaction, or of the savepoint of the function's that is open in it."""
        if not self._outermost:
            self._outermost = await _begin(scope, {}, span)
        outermost = scope.transactions[self._outermost]
        innermost = outermost.pinned.innermost or outermost
        return innermost.number


async def _guarded(scope: Scope, op: str, args: dict[str, Any], span: int, within: int) -> bytes:
    savepoint = {"tx": await _begin(scope, {"tx": within}, span)}
    try:
        answer = await perform(scope, op, {**args, **savepoint}, span)
    except BaseException:
        await perform(scope, "db.rollback", savepoint, span)
        raise
    await perform(scope, "db.commit", savepoint, span)
    return answer


async def _begin(scope: Scope, args: dict[str, Any], span: int) -> int:
    number: int = orjson.loads(await perform(scope, "db.begin", args, span))["tx"]
    return number
