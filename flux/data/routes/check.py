"""Whether the declared routes fit the database: asked at the start, when somebody still reads the answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flux.data.policy.model import Policies
from flux.data.schema.model import Schema
from flux.errors import ConfigError
from flux.failure import nearest
from flux.manifest import DataRoute


def check_routes(routes: Iterable[DataRoute], schema: Schema, policies: Policies) -> None:
    """Raises ConfigError with everything that is wrong."""
    problems = [problem for route in routes for problem in _problems(route, schema, policies)]
    if problems:
        raise ConfigError("[[routes]] of flux.toml: " + "; ".join(problems))


def _problems(route: DataRoute, schema: Schema, policies: Policies) -> Iterator[str]:
    table = schema.tables.get(route.table)
    if table is None:
        yield f'there is no table "{route.table}" for {route.path}.{nearest(route.table, schema.tables)}'
        return
    if route.policies and route.table not in policies.tables:
        yield (
            f'table "{route.table}" ({route.path}) has no policy, so every caller could use all of it; '
            f"give it one (`flux policy set {route.table} FILE`, or policies/{route.table}.toml), "
            "or say policies = false in its entry"
        )
    if route.columns is None:
        return
    for name in route.columns:
        if name not in table.columns and name not in table.computed:
            known = (*table.columns, *table.computed)
            yield f'table "{route.table}" has no column "{name}" ({route.path}).{nearest(name, known)}'
    if missing := [name for name in table.key if name not in route.columns]:
        yield f"columns of {route.path} lack the primary key, by which rows are named: {', '.join(missing)}"
