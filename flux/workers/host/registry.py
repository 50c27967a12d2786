"""Which function answers which host call: the one table between the journal's vocabulary and the capabilities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

import orjson

from flux.failure import HostError, invalid, nearest

from . import begin, db, fetch, invoke, queue, secrets, sql, time
from .arguments import Args
from .crypto import subtle
from .scope import Scope

Capability = Callable[[Scope, Args], Awaitable[bytes]]

# These write, and what they write names the span of their call.
SPANNED: MappingProxyType[str, db.Operation] = MappingProxyType(
    {**db.OPERATIONS, "db.sql": sql.sql, "db.begin": begin.begin}
)

OPERATIONS: MappingProxyType[str, Capability] = MappingProxyType(
    {
        "db.commit": begin.commit,
        "db.rollback": begin.rollback,
        "queue.push": queue.push,
        "fetch": fetch.fetch,
        "secrets.get": secrets.get,
        "invoke": invoke.invoke,
        "timer": time.wait,
        "sleep": time.wait,
        **{f"crypto.{name}": operation for name, operation in subtle.OPERATIONS.items()},
    }
)


async def answer(scope: Scope, op: str, args: bytes, span: int = 0) -> bytes:
    """The result, as JSON, of one host call with JSON arguments. Raises FluxError, mostly HostError."""
    try:
        parsed = orjson.loads(args)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The arguments of {op} are not valid JSON: {error}.") from None
    return await perform(scope, op, parsed, span)


async def perform(scope: Scope, op: str, args: Any, span: int) -> bytes:
    """`answer` for arguments that have been parsed. `span`: the number of the call's span."""
    if not isinstance(args, dict):
        raise invalid(f"The arguments of {op} must be an object.")
    scope.require_open()
    spanned = SPANNED.get(op)
    if spanned is not None:
        return await spanned(scope, args, span)
    capability = OPERATIONS.get(op)
    if capability is None:
        raise HostError(
            "UNKNOWN_OPERATION", 400, f'There is no host call "{op}".' + nearest(op, (*SPANNED, *OPERATIONS))
        )
    return await capability(scope, args)
