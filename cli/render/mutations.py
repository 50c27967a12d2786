"""What an execution changed, counted by table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .text import PLAIN, Json, Paint, clean

_DONE = {"insert": "inserted", "update": "updated", "delete": "deleted", "truncate": "truncated"}


def mutation_lines(execution: Json, paint: Paint = PLAIN) -> Iterator[str]:
    """`mutations: 3` and a line for each table: `users  2 inserted · 1 updated`."""
    mutations = execution.get("mutations") or ()
    total = execution.get("mutation_count", len(mutations))
    # Of very many the answer holds the first.
    counted = "" if total == len(mutations) else f" (the first {len(mutations)}:)"
    yield f"  {paint.bold('mutations')}: {total}{counted}"
    tables: dict[str, Counter[str]] = {}
    for mutation in mutations:
        name = clean(str(mutation.get("table") or "-"))
        tables.setdefault(name, Counter())[clean(str(mutation.get("operation")))] += 1
    width = max(map(len, tables), default=0)
    for name, operations in tables.items():
        done = " · ".join(f"{number} {_DONE.get(kind, kind)}" for kind, number in operations.items())
        yield f"    {name.ljust(width)}  {done}"
