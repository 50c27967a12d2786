"""`invoke`: another function, run as an execution of its own whose parent is this one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import orjson

from flux.failure import HostError, nearest

from .arguments import Args, text

if TYPE_CHECKING:
    from .scope import Scope


def deployed(name: str, functions: Collection[str]) -> str:
    """`name` when such a function is live; else raises 404 FUNCTION_NOT_FOUND."""
    if name not in functions:
        raise HostError("FUNCTION_NOT_FOUND", 404, f'No function is named "{name}".' + nearest(name, functions))
    return name


async def invoke(scope: Scope, args: Args) -> bytes:
    name = deployed(text(args, "function"), scope.services.functions())
    return await scope.services.invoke(scope, name, orjson.dumps(args.get("input")))
