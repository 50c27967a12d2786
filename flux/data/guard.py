"""How much a query may ask for, decided before Postgres sees it. Pure.

A `Gate` is made once per shape of a query: it refuses what no values can mend (depth, number of conditions) and keeps
the score of everything but rows. What is left for each call is to look at `limit`, `offset` and the size of lists.

The score is that of `query/complexity.py` plus one point per ROWS_PER_POINT rows that the answer can hold: limits
multiplied along nested relations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flux.data.query.complexity import fixed_score, measured
from flux.data.query.model import Aggregate, Insert, Nested, Query, Select, Slot
from flux.data.schema.model import Schema
from flux.failure import HostError

ROWS_PER_POINT: Final = 1000

MAX_OFFSET: Final = 2**31  # rows that Postgres would read and throw away; `after` is the way to go that far


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """`default_rows`: the limit of a select without one, at every level. `rows`: the highest that can be asked for, and
    the most that one insert takes. `depth`: levels of relations beneath the query's table, in fields and in conditions.
    `complexity`: the score. `parameters`: values in one statement. `conditions`: in the whole query. `query_bytes`: of
    its JSON.
    """

    default_rows: int = 100
    rows: int = 5000  # what a function can hold, and an answer of 8 MiB can carry
    depth: int = 6
    complexity: int = 1000  # about a million rows, or a page of SQL
    parameters: int = 32_767  # what one statement of Postgres' protocol takes
    conditions: int = 100  # a person types so many at most; more of them are data, and belong into `in`
    query_bytes: int = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Level:
    """One select in the query. `single`: at most one row, whatever its limit."""

    place: str
    limit: Slot | None
    offset: Slot | None
    single: bool
    inner: tuple[_Level, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What remains to be checked of a query of known shape. `fixed`: its score without rows. `varies`: whether queries
    of this shape may differ in what is checked; else one that has passed speaks for all.
    """

    guard: Guard
    varies: bool
    fixed: int
    rows_given: int
    lists: tuple[Slot, ...]
    level: _Level | None

    def score(self, values: Sequence[Any]) -> int:
        """Raises 400 INVALID_ARGUMENT for a limit that is none."""
        return self.fixed + (0 if self.level is None else self._rows(self.level, values) // ROWS_PER_POINT)

    def check(self, values: Sequence[Any]) -> None:
        """Raises 400 INVALID_ARGUMENT, TOO_MANY_ROWS, TOO_MANY_PARAMETERS, QUERY_TOO_COMPLEX."""
        guard = self.guard
        if len(values) > guard.parameters:
            message = f"The query has {len(values)} values; {guard.parameters} are allowed."
            raise HostError("TOO_MANY_PARAMETERS", 400, message, {"limit": guard.parameters, "found": len(values)})
        rows = len(values[self.lists[0].index]) if self.lists else self.rows_given
        if rows > guard.rows:
            raise _too_many_rows("data", f"has {rows} rows", guard.rows)
        score = self.score(values)
        if score > guard.complexity:
            raise _too_complex(score, guard, self.level)

    def _rows(self, level: _Level, values: Sequence[Any]) -> int:
        """The most rows that the answer can hold from this level on."""
        rows = self.guard.default_rows
        if level.limit is not None:
            rows = _integer(values[level.limit.index], level.place + "limit")
            if rows > self.guard.rows:
                raise _too_many_rows(level.place + "limit", f"is {rows}", self.guard.rows)
        if level.offset is not None and _integer(values[level.offset.index], level.place + "offset") > MAX_OFFSET:
            message = f'"{level.place}offset" must be at most {MAX_OFFSET}; "after" goes on from a row at any distance.'
            raise HostError("INVALID_ARGUMENT", 400, message, {"place": level.place + "offset"})
        if level.single:
            rows = 1
        inner = 0
        for below in level.inner:
            inner += self._rows(below, values)
        return rows * (1 + inner)


USUAL: Final = Guard()


def gate(query: Query, guard: Guard = USUAL, schema: Schema | None = None) -> Gate:
    """With a `schema`, relations to one count as the one row that they are; without, as the default number of rows.

    Raises 400 QUERY_TOO_DEEP, QUERY_TOO_COMPLEX.
    """
    depth, conditions = measured(query)
    level: _Level | None = None
    if isinstance(query, Select):
        level = _level(query, "", query.one, schema, query.table)
    elif isinstance(query, Aggregate):
        single = not query.group_by
        level = _Level(place="", limit=query.limit, offset=query.offset, single=single, inner=())
    if depth > guard.depth:
        message = f"The query reaches {depth} relations deep; {guard.depth} are allowed."
        raise HostError("QUERY_TOO_DEEP", 400, message, {"limit": guard.depth, "found": depth})
    if conditions > guard.conditions:
        message = (
            f'The query has {conditions} conditions; {guard.conditions} are allowed. For many values there is "in".'
        )
        raise HostError("QUERY_TOO_COMPLEX", 400, message, {"limit": guard.conditions, "found": conditions})
    fixed = fixed_score(query)
    if fixed > guard.complexity:
        raise _too_complex(fixed, guard, level)
    inserted = query if isinstance(query, Insert) else None
    return Gate(
        guard=guard,
        varies=bool(inserted and inserted.lists) or (level is not None and _varies(level)),
        fixed=fixed,
        rows_given=len(inserted.rows or ()) if inserted else 0,
        lists=inserted.lists if inserted else (),
        level=level,
    )


def score(query: Query, values: Sequence[Any], guard: Guard = USUAL, schema: Schema | None = None) -> int:
    """The query's score, whatever it may be at most. Raises 400 INVALID_ARGUMENT for a limit that is none."""
    open_guard = replace(guard, complexity=sys.maxsize, depth=sys.maxsize, conditions=sys.maxsize)
    return gate(query, open_guard, schema).score(values)


def check(query: Query, values: Sequence[Any], guard: Guard = USUAL, schema: Schema | None = None) -> None:
    """Raises what `gate` and `Gate.check` raise."""
    gate(query, guard, schema).check(values)


def check_size(size: int, guard: Guard) -> None:
    """`size`: bytes of the query's JSON. Raises 400 QUERY_TOO_LARGE."""
    if size > guard.query_bytes:
        message = f"The query has {size} bytes; {guard.query_bytes} are allowed."
        raise HostError("QUERY_TOO_LARGE", 400, message, {"limit": guard.query_bytes, "found": size})


def _level(select: Select, place: str, single: bool, schema: Schema | None, table: str | None) -> _Level:
    inner = []
    for field in select.fields or ():
        if isinstance(field, Nested):
            target, many = _target(schema, table, field.relation)
            inner.append(_level(field.select, f"{place}select.{field.alias}.", not many, schema, target))
    return _Level(place=place, limit=select.limit, offset=select.offset, single=single, inner=tuple(inner))


def _varies(level: _Level) -> bool:
    return level.limit is not None or level.offset is not None or any(_varies(below) for below in level.inner)


def _target(schema: Schema | None, table: str | None, relation: str) -> tuple[str | None, bool]:
    """The table at the relation's other end, and whether many of its rows may be there; unknown is many."""
    if schema is None or table is None:
        return None, True
    found = schema.table(table).relation(relation)
    return found.target, found.many


def _integer(value: Any, place: str) -> int:
    """Raises 400 INVALID_ARGUMENT for anything but an integer from 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HostError("INVALID_ARGUMENT", 400, f'"{place}" must be an integer, 0 or more.', {"place": place})
    return value


def _too_many_rows(place: str, what: str, limit: int) -> HostError:
    return HostError(
        "TOO_MANY_ROWS", 400, f'"{place}" {what}; {limit} are allowed at once.', {"place": place, "limit": limit}
    )


def _too_complex(found: int, guard: Guard, level: _Level | None) -> HostError:
    advice = " Smaller limits of nested rows lower it." if level is not None and level.inner else ""
    message = f"The query's complexity is {found}; {guard.complexity} are allowed.{advice}"
    return HostError("QUERY_TOO_COMPLEX", 400, message, {"limit": guard.complexity, "found": found})
