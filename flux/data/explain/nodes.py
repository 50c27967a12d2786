"""Postgres' plan (EXPLAIN, FORMAT JSON) as values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """`schema` and `table` of a scan. `rows` and `cost` are the planner's; `ms` (all loops) and `actual` (rows of one
    loop) what ANALYZE measured. `filter`: what is tested row by row. `workers`: how many are planned beneath; what they
    share is `parallel`, and its `rows` are those of one process.
    """

    type: str
    schema: str | None
    table: str | None
    index: str | None
    rows: int
    cost: float
    filter: str | None
    condition: str | None
    ms: float | None
    actual: float | None
    loops: int | None
    parallel: bool
    workers: int
    children: tuple[Node, ...]

    def walk(self, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
        """Each node with those above it, the nearest last."""
        yield self, above
        for child in self.children:
            yield from child.walk((*above, self))

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"node": self.type}
        for name in ("schema", "table", "index", "rows", "cost", "filter", "condition", "ms", "actual", "loops"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        found["children"] = [child.to_json() for child in self.children]
        return found


def read_plan(explained: Sequence[Mapping[str, Any]]) -> Node:
    """What EXPLAIN (FORMAT JSON, VERBOSE) answered."""
    return _node(explained[0]["Plan"])


# What the index or the join looks for, by what kind of node says it.
_CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter")


def _node(plan: Mapping[str, Any]) -> Node:
    loops = plan.get("Actual Loops")
    total = plan.get("Actual Total Time")
    return Node(
        type=plan["Node Type"],
        schema=plan.get("Schema"),
        table=plan.get("Relation Name"),
        index=plan.get("Index Name"),
        rows=int(plan.get("Plan Rows", 0)),
        cost=float(plan.get("Total Cost", 0)),
        filter=plan.get("Filter"),
        condition=next((plan[name] for name in _CONDITIONS if name in plan), None),
        ms=None if total is None else round(total * (loops or 1), 3),
        actual=plan.get("Actual Rows"),
        loops=loops,
        parallel=bool(plan.get("Parallel Aware")),
        workers=int(plan.get("Workers Planned", 0)),
        children=tuple(_node(child) for child in plan.get("Plans", ())),
    )
