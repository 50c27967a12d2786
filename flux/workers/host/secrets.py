"""`secrets.get`. The values come from the environment; the worker keeps them out of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from flux.failure import HostError, nearest

from .arguments import Args, text

if TYPE_CHECKING:
    from .scope import Scope


async def get(scope: Scope, args: Args) -> bytes:
    name = text(args, "name")
    value = scope.services.secrets.get(name)
    if value is None:
        raise HostError(
            "SECRET_NOT_FOUND",
            404,
            f'No secret is named "{name}"; set it as FLUX_SECRET_{name} in the environment or in .env.'
            + nearest(name, scope.services.secrets),
        )
    return orjson.dumps(value)
