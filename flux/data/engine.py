"""The way in: a query document becomes a plan and its values, and the same shape does so again for a few µs. Pure.

Order: shape -> (known? done) -> parse -> guard -> policies and SQL. What makes a plan wrong, another schema or other
policies, makes another engine.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

from flux.data.compiler import Plan, compile
from flux.data.guard import Gate, Guard, gate
from flux.data.policy.model import NO_POLICIES, Policies
from flux.data.query import parse, read
from flux.data.schema.model import Schema

# Shapes of queries that are kept ready. A team has a few hundred; past this something makes them up as it goes.
MAX_PLANS = 2000


# A plan and the values of the document, at the slots that the plan's parameters name.
Planned: TypeAlias = tuple[Plan, list[Any]]


class Engine:
    """`record`: writing plans set the identity of their mutations (`flux.data.mutation.identity`)."""

    __slots__ = ("_plans", "_record", "guard", "policies", "schema")

    def __init__(
        self, schema: Schema, policies: Policies = NO_POLICIES, *, guard: Guard | None = None, record: bool = True
    ) -> None:
        self.schema = schema
        self.policies = policies
        self.guard = guard or Guard()
        self._record = record
        self._plans: dict[tuple[Hashable, str], tuple[Plan, Gate | None]] = {}

    def plan(self, document: Any, role: str) -> Planned:
        """Raises HostError: 400 for what is wrong with the query, 403 for what the role may not."""
        key, values = read(document)
        found = self._plans.get((key, role))
        if found is None:
            query, values = parse(document)
            limits = gate(query, self.guard, self.schema)
            limits.check(values)
            plan = compile(query, self.schema, self.policies, role, guard=self.guard, record=self._record)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            self._plans[key, role] = plan, limits if limits.varies else None
        else:
            plan, varying = found
            if varying is not None:
                varying.check(values)  # how many rows are asked for is a value
        return plan, values
