"""Function versions that were ever live here."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from flux.manifest import FunctionSpec
from flux.store.pool import Connection


async def save(conn: Connection, specs: Iterable[FunctionSpec]) -> None:
    """Remember versions; one that is known already is left as it is."""
    await conn.executemany(
        "INSERT INTO flux.function_versions (version, name, source, spec) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        [(spec.version, spec.name, spec.source, orjson.dumps(spec.to_json()).decode()) for spec in specs],
    )


async def get(conn: Connection, version: str, name: str | None = None) -> FunctionSpec | None:
    """The function that ran as this version. Two functions with the same bundle share it: then `name` tells which."""
    spec = await conn.fetchval(
        "SELECT spec FROM flux.function_versions WHERE version = $1 AND ($2::text IS NULL OR name = $2) "
        "ORDER BY created_at LIMIT 1",
        version,
        name,
    )
    return None if spec is None else FunctionSpec.from_json(orjson.loads(spec))
