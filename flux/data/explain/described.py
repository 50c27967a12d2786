"""What people want to see of a compiled query: where each parameter is from, which policies it obeys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flux.data.compiler.parameters import CONSTANT, FACT, PART, SLOT
from flux.data.compiler.plan import Applied, Plan
from flux.data.policy.printed import print_rule
from flux.data.query.model import ALWAYS, Condition

# A value is shown to recognise it, not to copy it.
SHOWN = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    number: int
    value: str | None
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedPolicy:
    """`columns` None: all. `where`, `check`: as one writes them, None where there is none."""

    table: str
    operation: str
    columns: list[str] | None
    where: str | None
    check: str | None


def parameters(plan: Plan, values: Sequence[Any]) -> list[Parameter]:
    """`values`: what `plan.parameters` gave."""
    return [
        Parameter(number=number, value=None if value is None else _shown(value), source=_source(origin, key, column))
        for number, ((origin, key, _, column), value) in enumerate(zip(plan.sources, values, strict=True), start=1)
    ]


def policies(plan: Plan) -> list[AppliedPolicy]:
    """Each once, though a statement may obey one in several places."""
    found = {_policy(each): None for each in plan.policies}
    return [
        AppliedPolicy(
            table=table, operation=operation, columns=None if names is None else list(names), where=where, check=check
        )
        for table, operation, names, where, check in found
    ]


def _policy(applied: Applied) -> tuple[str, str, tuple[str, ...] | None, str | None, str | None]:
    columns = None if applied.columns is None else tuple(sorted(applied.columns))
    return applied.table, applied.operation, columns, _printed(applied.where), _printed(applied.check)


def _printed(condition: Condition) -> str | None:
    return None if condition == ALWAYS else print_rule(condition)


def _source(origin: int, key: Any, column: str) -> str:
    if origin == SLOT:
        return f"the query: {column}"
    if origin == PART:
        return f"the query: {column}, entry {key[1]}"
    if origin == FACT:
        return "the caller: $auth." + ".".join(key)
    return "the query's shape, or a policy" if origin == CONSTANT else "the identity of the mutation"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
