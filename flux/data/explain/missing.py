"""Indexes that a query would need: a table that is read from end to end, and a way into it that none serves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from flux.data.compiler.names import quoted
from flux.data.schema.model import Table

from .access import Access, Method
from .nodes import Node

# Smaller tables are read from end to end faster than by way of an index.
MIN_ROWS: Final = 1000
# What of itself the leader of a parallel scan spends on each worker (Postgres' get_parallel_divisor).
LEADERS_LOSS: Final = 0.3
# A condition that leaves more of a table than this is faster without an index.
MAX_SHARE: Final = 0.2

_SCANS: Final = frozenset(("Seq Scan", "Parallel Seq Scan"))
_SORTS: Final = frozenset(("Sort", "Incremental Sort"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """`columns` in the index's order. `ddl` can be run as it stands, outside of a transaction."""

    table: str
    columns: tuple[str, ...]
    why: str
    ddl: str


def missing(plan: Node, accesses: Iterable[Access]) -> list[Missing]:
    """The most selective way in first comes first; each index once."""
    ways = list(accesses)
    found: dict[str, Missing] = {}
    for node, above in plan.walk():
        if node.type not in _SCANS:
            continue
        for access in ways:
            if (access.table.schema, access.table.name) == (node.schema, node.table):
                for each in _for(access, node, above):
                    found.setdefault(each.ddl, each)
    return list(found.values())


def _for(access: Access, node: Node, above: tuple[Node, ...]) -> Iterator[Missing]:
    table = access.table
    if table.rows < MIN_ROWS or table.kind not in ("table", "materialized_view"):
        return
    selective = node.filter is not None and _rows(node, above) <= table.rows * MAX_SHARE
    sorted_first = access.limited and any(each.type in _SORTS for each in above)
    reading = f"all of the {table.rows} rows of {table.name} are read"
    columns = _columns(access) if selective else _order(access) if sorted_first else []
    if columns and not _served(table, access, selective=selective):
        what = "to find those with " + _and([*access.equal, *access.ranges])
        if not selective or not (access.equal or access.ranges):
            what = "and sorted, though only the first by " + _and([name for name, *_ in access.order]) + " are wanted"
        yield Missing(
            table=table.name,
            columns=tuple(name for name, _ in columns),
            why=f"{reading} {what}",
            ddl=_ddl(table, [f"{quoted(name)}{way}" for name, way in columns]),
        )
    if selective and not access.equal:
        for name, method in access.special:
            if not _special_served(table, name, method):
                yield _special(table, name, method, reading)


def _rows(node: Node, above: tuple[Node, ...]) -> float:
    """Of all processes that share the scan: the plan tells those of one."""
    if not node.parallel:
        return node.rows
    workers = next((each.workers for each in reversed(above) if each.workers), 0)
    return node.rows * (workers + max(0.0, 1 - LEADERS_LOSS * workers))


def _columns(access: Access) -> list[tuple[str, str]]:
    """Each with how it is sorted. Equality first, then one range, else the order (which needs equalities before it)."""
    equal = [(name, "") for name in access.equal]
    if access.ranges:
        return [*equal, (access.ranges[0], "")]
    return [*equal, *_order(access)] if access.limited else equal


def _order(access: Access) -> list[tuple[str, str]]:
    """By itself it serves where conditions leave many rows: the first of them are found by testing not many more."""
    order = [each for each in access.order if each[0] not in access.equal]
    if all(descending for _, descending, _ in order):  # an index is read in both directions
        order = [(name, False, not nulls_first) for name, _, nulls_first in order]
    return [(name, _way(descending, nulls_first)) for name, descending, nulls_first in order]


def _way(descending: bool, nulls_first: bool) -> str:
    """An index serves an order only where NULL stands at the same end, whether the column can be NULL or not."""
    nulls = "" if nulls_first == descending else " NULLS FIRST" if nulls_first else " NULLS LAST"
    return (" DESC" if descending else "") + nulls


def _served(table: Table, access: Access, *, selective: bool) -> bool:
    """Whether some index begins where this access does: then Postgres had the choice."""
    first = [name for name, _ in _order(access)[:1]]
    starts = set((access.equal or access.ranges[:1] or first) if selective else first)
    equal = selective and bool(access.equal)
    ready = [
        index for index in table.indexes if not index.partial and index.columns and (equal or index.method != "hash")
    ]
    return any(index.columns[0] in starts for index in ready) or bool(table.key and table.key[0] in starts)


def _special_served(table: Table, name: str, method: Method) -> bool:
    kinds = ("gin", "gist") if method == "trigram" else (method,)
    return any(index.method in kinds and name in index.columns for index in table.indexes)


def _special(table: Table, name: str, method: Method, reading: str) -> Missing:
    column = quoted(name)
    why = f"{reading} to find those whose {name} matches"
    using: str = method
    if method == "trigram":
        using, column = "gin", f"{column} gin_trgm_ops"
        why += " (this index needs the extension pg_trgm)"
    return Missing(table=table.name, columns=(name,), why=why, ddl=_ddl(table, [column], using=using))


def _ddl(table: Table, parts: list[str], *, using: str = "") -> str:
    """Without a name: Postgres takes one that is free, where a partial index, or one of another kind, has the usual."""
    place = f"{quoted(table.schema)}.{quoted(table.name)}"
    return f"CREATE INDEX CONCURRENTLY ON {place}{f' USING {using}' if using else ''} ({', '.join(parts)})"


def _and(names: list[str]) -> str:
    return " and ".join(dict.fromkeys(names))
