"""What the management API is given to work with; wired by `flux.master.serve`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from flux.manifest import FunctionSpec, Manifest
from flux.master.api.live import Live
from flux.master.gateway.auth import KeyTable
from flux.master.http.call import Result
from flux.store.pool import Pool


async def nothing() -> None:
    """For a node whose record needs no flush."""


def nobody() -> None:
    """For a node on which nothing waits for policies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiServices:
    """Functions here raise FluxError, which becomes the response.

    `invoke(spec, request_id, body)` runs a function as an execution of kind "invoke" with this ID (16 bytes).
    `rehearse(spec, body, tenant=, user=)` runs one without consequences, and gives its request ID with its answer.
    `replay(execution)` takes what `flux.store.executions.get` returned and gives a `shapes.Replay`.
    `flush` returns when what was answered before is stored, so that it can be found at once.
    `keys_changed` is told of all valid keys after one was made or revoked.
    `policies_changed` is called after other policies have come into force; `sql_url` is `[database] sql_url`.
    `tables_changed` returns when what migrations made is protected and recorded.
    """

    pool: Pool
    manifest: Callable[[], Manifest]
    invoke: Callable[[FunctionSpec, bytes, bytes | None], Awaitable[Result]]
    rehearse: Callable[..., Awaitable[tuple[str, Result]]]
    replay: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
    keys_changed: Callable[[KeyTable], None]
    live: Live
    flush: Callable[[], Awaitable[None]] = nothing
    policies_changed: Callable[[], None] = nobody
    tables_changed: Callable[[], Awaitable[None]] = nothing
    sql_url: str | None = None
