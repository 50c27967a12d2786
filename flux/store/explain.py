"""Asks Postgres how it would carry out a statement. Nothing is written: what writes is planned, never executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import orjson

from flux.data.explain.nodes import Node, read_plan
from flux.data.types.codec import reset_parameter_codecs, set_parameter_codecs
from flux.failure import HostError
from flux.store.pool import Connection

# Of an ANALYZE, which carries the query out; whoever asks is a person at a terminal.
TIMEOUT_MS: Final = 10_000


async def explain(conn: Connection, statement: str, parameters: Sequence[Any], *, analyze: bool = False) -> Node:
    """`parameters` as `Plan.parameters` gives them. `analyze` carries out the statement, so it must be one that reads.

    Planned with the values that are given (not GENERIC_PLAN), as Postgres plans a statement when it meets it first; so
    this also works on Postgres 15. Raises 400 INVALID_QUERY for what Postgres refuses, 504 QUERY_TIMEOUT.
    """
    options = "FORMAT JSON, VERBOSE, SETTINGS" + (", ANALYZE, BUFFERS, TIMING" if analyze else "")
    await set_parameter_codecs(conn)
    try:
        async with conn.transaction(readonly=True):
            await conn.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS}")
            found = await conn.fetchval(f"EXPLAIN ({options}) {statement}", *parameters)
    except asyncpg.QueryCanceledError:
        raise HostError(
            "QUERY_TIMEOUT", 504, f"The query takes longer than {TIMEOUT_MS} ms; ask without analyze."
        ) from None
    except (asyncpg.PostgresError, ValueError, OverflowError) as error:  # the latter: a value that asyncpg cannot send
        raise HostError("INVALID_QUERY", 400, f"Postgres says: {error}") from None
    finally:  # others use this connection of the pool, too
        if not conn.is_closed():
            await reset_parameter_codecs(conn)
    return read_plan(orjson.loads(found))
