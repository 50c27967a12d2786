"""`timer` (setTimeout, setInterval) and `sleep`: the only waits. Cancelling the call's task cancels the wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flux.failure import invalid

from .arguments import Args, number

if TYPE_CHECKING:
    from .scope import Scope

# What setTimeout can hold in every browser; an execution's wall limit ends far sooner.
MAX_MS = 2**31 - 1


async def wait(scope: Scope, args: Args) -> bytes:
    """Answers null after `ms` milliseconds; what is negative counts as 0."""
    ms = number(args, "ms")
    if not ms <= MAX_MS:  # NaN, too
        raise invalid(f'"ms" must be at most {MAX_MS}.')
    await asyncio.sleep(max(ms, 0.0) / 1000)
    return b"null"
