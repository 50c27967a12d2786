"""What stands out in the spans of an execution, and what to do about it. Pure.

N+1: the same read again and again, one behind the other, under one parent: with other values each time, so that one
query could read all of it. Slow: a database call that took long in itself or most of the execution's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Span: TypeAlias = Mapping[str, Any]

N_PLUS_ONE_CALLS: Final = 5  # fewer equal calls under one parent are as often meant as not
SLOW_DB_MS: Final = 50.0  # an index answers in a few
SLOW_DB_SHARE: Final = 0.5  # of the execution
# Where a whole execution takes less than this, half of it is no problem of an index.
SHARE_FROM_MS: Final = 40.0

_READS: Final = frozenset(("db:select", "db:count", "db:aggregate"))
# Keys whose content makes a query another one; what stands at the others is values.
_STRUCTURE: Final = frozenset(("columns", "select", "order_by", "group_by", "aggregates", "returning", "table", "text"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """`spans`: the IDs that it is about. `ms`: what they took together. `next`: a command that tells more. `indexes`:
    missing ones, as `flux explain` finds them.
    """

    kind: Literal["n_plus_one", "slow_query"]
    message: str
    spans: tuple[int, ...]
    ms: float
    name: str
    table: str | None = None
    next: str | None = None
    indexes: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "message": self.message,
            "spans": list(self.spans),
            "ms": round(self.ms, 3),
            "name": self.name,
            "table": self.table,
            "next": self.next,
            "indexes_missing": [dict(index) for index in self.indexes],
        }


def hints(execution: Mapping[str, Any]) -> list[Hint]:
    """Of an execution as the API gives it. N+1 first; a call that belongs to one is not called slow besides."""
    spans = [span for span in execution.get("spans") or () if span.get("kind") == "db"]
    repeated = _repeated(spans, {span.get("id"): span for span in execution.get("spans") or ()})
    told = {id for hint in repeated for id in hint.spans}
    slow = _slow((span for span in spans if span["id"] not in told), execution)
    return [*repeated, *slow]


def _repeated(spans: Sequence[Span], by_id: Mapping[Any, Span]) -> list[Hint]:
    groups: dict[Any, list[Span]] = {}
    for span in spans:
        if span.get("status") != "open":
            groups.setdefault((span.get("parent"), span.get("name"), shape(span.get("input"))), []).append(span)
    found = []
    for (parent, name, _), group in groups.items():
        chain = _one_by_one(group)
        if len(chain) < N_PLUS_ONE_CALLS:
            continue
        took = sum(map(_ms, chain))
        where = by_id.get(parent, {}).get("name") or "the function"
        what = f"{name} ran {len(chain)} times in {where}, {_duration(took)} in all"
        found.append(
            Hint(
                kind="n_plus_one",
                message=f"N+1: {what}: {_remedy(str(name))}",
                spans=tuple(span["id"] for span in chain),
                ms=took,
                name=str(name),
                table=_table(str(name)),
            )
        )
    return found


def _one_by_one(group: Iterable[Span]) -> list[Span]:
    """Those that each begin when the one before has ended: made at the same time they cost one trip, not many."""
    chain: list[Span] = []
    ended = 0
    for span in sorted(group, key=lambda span: int(span.get("start_us") or 0)):
        start = int(span.get("start_us") or 0)
        if start >= ended:
            chain.append(span)
            ended = start + int(span.get("duration_us") or 0)
    return chain


def _slow(spans: Iterable[Span], execution: Mapping[str, Any]) -> list[Hint]:
    whole = float(execution.get("duration_ms") or 0)
    found = []
    for span in spans:
        took = _ms(span)
        most = whole >= SHARE_FROM_MS and took > whole * SLOW_DB_SHARE
        if span.get("status") == "open" or not (took > SLOW_DB_MS or most):
            continue
        share = f", {took / whole:.0%} of the execution" if whole and most else ""
        name = str(span.get("name"))
        found.append(
            Hint(
                kind="slow_query",
                message=f"slow: {name} took {_duration(took)}{share}",
                spans=(span["id"],),
                ms=took,
                name=name,
                table=_table(name),
                next=f"flux explain --request {str(execution.get('request_id'))[:8]}",
            )
        )
    return found


def shape(value: Any, key: str = "") -> Any:
    """What is left of a call's arguments when the values are taken out: equal for calls that differ in these only."""
    if key in _STRUCTURE and not isinstance(value, Mapping):
        return repr(value)
    if isinstance(value, Mapping):
        inner = key if key in _STRUCTURE else ""
        return tuple(sorted((str(name), shape(each, inner or str(name))) for name, each in value.items()))
    if isinstance(value, list):
        # Any number of values is one list; objects (of an `and`) count one by one.
        parts = [shape(each) for each in value if isinstance(each, Mapping)]
        return ("list", *parts)
    return ""


def _remedy(name: str) -> str:
    if name.startswith("db:insert("):
        return "insertMany writes the rows at once"
    if name.partition("(")[0] in _READS:
        return "one query with { in: [...] } reads the rows at once"
    return "one statement for all rows would do"


def _table(name: str) -> str | None:
    """`db:select(users)` is about users; raw SQL is about whatever it says."""
    if name.startswith("db:sql("):
        return None
    return name.partition("(")[2].removesuffix(")") or None


def _ms(span: Span) -> float:
    return int(span.get("duration_us") or 0) / 1000


def _duration(ms: float) -> str:
    if ms < 1:
        return f"{round(ms * 1000)}µs"
    return f"{ms:.1f}ms".replace(".0ms", "ms") if ms < 10 else f"{round(ms)}ms"
