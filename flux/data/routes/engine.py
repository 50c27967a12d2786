"""The data engine as one data route may use it. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any

from flux.data.engine import MAX_PLANS, Engine, Planned
from flux.data.policy.model import ANYBODY, OPERATIONS, UNRESTRICTED, Policies, TablePolicy
from flux.data.query import parse, read
from flux.data.query.model import (
    Aggregate,
    Condition,
    Count,
    Delete,
    Every,
    Nested,
    Not,
    Query,
    Related,
    Select,
    Some,
    Update,
)
from flux.data.schema.model import Schema, Table
from flux.failure import HostError
from flux.manifest import DataRoute


class RouteEngine(Engine):
    """Compiles with policies narrowed to the route's columns. A query may name no table without a policy, unless the
    route says that this does not matter: over HTTP, what nobody has allowed is denied.

    The tables that a query names are looked at, rather than denied by policies that are made up: conditions of policies
    also ask for related rows, and a `none(...)` over a table that is denied would hold.
    """

    __slots__ = ("_passed", "_route", "base")

    def __init__(self, base: Engine, route: DataRoute) -> None:
        super().__init__(
            base.schema, narrowed(base.policies, base.schema, route), guard=base.guard, record=base._record
        )
        self.base = base
        self._route = route
        self._passed: set[Hashable] = set()

    def plan(self, document: Any, role: str) -> Planned:
        """Raises what Engine does, and 403 FORBIDDEN_TABLE for a table without a policy."""
        if self._route.policies:
            key, _ = read(document)
            if key not in self._passed:
                self._check(parse(document)[0])
                if len(self._passed) >= MAX_PLANS:
                    self._passed.clear()
                self._passed.add(key)
        return super().plan(document, role)

    def _check(self, query: Query) -> None:
        for name in reached(query, self.schema):
            if name not in self.base.policies.tables:
                message = f'Table "{name}" has no policy, so it is not served over HTTP.'
                raise HostError("FORBIDDEN_TABLE", 403, message, {"table": name})


class RouteEngines:
    """The engines of one worker's routes, each made again when the worker's own has been."""

    __slots__ = ("_engines",)

    def __init__(self) -> None:
        self._engines: dict[DataRoute, RouteEngine] = {}

    def of(self, base: Engine, route: DataRoute) -> RouteEngine:
        found = self._engines.get(route)
        if found is None or found.base is not base:
            if found is None and len(self._engines) >= MAX_PLANS:  # of versions long gone
                self._engines.clear()
            found = self._engines[route] = RouteEngine(base, route)
        return found


def narrowed(policies: Policies, schema: Schema, route: DataRoute) -> Policies:
    """These policies, with the route's columns as all that its table has."""
    if route.columns is None or route.table not in schema.tables or route.table in policies.closed:
        return policies
    columns = frozenset(route.columns)
    policy = policies.tables.get(route.table)
    if policy is None:
        policy = TablePolicy(table=route.table, grants={(ANYBODY, operation): UNRESTRICTED for operation in OPERATIONS})
    grants = {
        whose: replace(
            grant,
            readable=columns if grant.readable is None else grant.readable & columns,
            writable=columns if grant.writable is None else grant.writable & columns,
        )
        for whose, grant in policy.grants.items()
    }
    return replace(policies, tables={**policies.tables, route.table: replace(policy, grants=grants)})


def reached(query: Query, schema: Schema) -> set[str]:
    """The tables that a query names, itself or by its relations. Raises 400 UNKNOWN_TABLE, UNKNOWN_RELATION."""
    table = schema.table(query.table)
    found = {table.name}
    if isinstance(query, Select):
        found.update(_of_select(query, table, schema))
    elif isinstance(query, Aggregate | Count | Update | Delete):
        found.update(_of_condition(query.where, table, schema))
    return found


def _of_select(select: Select, table: Table, schema: Schema) -> Iterator[str]:
    yield table.name
    yield from _of_condition(select.where, table, schema)
    for field in select.fields or ():
        if isinstance(field, Nested):
            yield from _of_select(field.select, schema.table(table.relation(field.relation).target), schema)


def _of_condition(condition: Condition, table: Table, schema: Schema) -> Iterator[str]:
    match condition:
        case Every(terms) | Some(terms):
            for term in terms:
                yield from _of_condition(term, table, schema)
        case Not(term):
            yield from _of_condition(term, table, schema)
        case Related(relation, _, where):
            target = schema.table(table.relation(relation).target)
            yield target.name
            yield from _of_condition(where, target, schema)
