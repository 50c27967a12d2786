"""Data routes as entries of the manifest. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final

import orjson

from flux.manifest import Auth, DataRoute, FunctionSpec, Limits, Route

SOURCE: Final = "flux.toml"
ID: Final = "id"  # the path parameter that holds a row's key
QUERY: Final = "query"  # the segment below which whole query documents are posted


def specs(routes: Iterable[DataRoute], *, limits: Limits, auth: Auth) -> dict[str, FunctionSpec]:
    """By name. `auth` is the project's, for routes that have none of their own."""
    found: dict[str, FunctionSpec] = {}
    for route in routes:
        # "db:users" for a table's first route; no function's name holds a colon.
        name = f"db:{route.table}"
        if name in found:
            name = f"{name}:{route.path[1:]}"
        found[name] = FunctionSpec(
            name=name,
            version=hashlib.sha256(b"data\0" + orjson.dumps(asdict(route), option=orjson.OPT_SORT_KEYS)).hexdigest(),
            source=SOURCE,
            routes=tuple(_routes(route)),
            auth=route.auth or auth,
            runtime="data",
            limits=limits,
            max_attempts=1,
            data=route,
        )
    return found


def row_path(route: DataRoute) -> str:
    return f"{route.path}/:{ID}"


def _routes(route: DataRoute) -> Iterator[Route]:
    for method in route.methods:
        yield Route(method=method, path=route.path)
        if method != "POST":
            yield Route(method=method, path=row_path(route))
    yield Route(method="POST", path=f"{route.path}/{QUERY}")
