"""ORDER BY, and the condition of keyset pagination: the rows behind the one seen last. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flux.data.query.model import Order, Select, Slot, Target
from flux.data.query.targets import written
from flux.data.schema.model import Table
from flux.failure import HostError

from .hidden import behind_policy, both
from .operators import operand_codec
from .statement import Place
from .terms import Term, comparable


class Sorted(NamedTuple):
    """One entry of an ORDER BY with its expression."""

    order: Order
    term: Term
    sql: str

    @property
    def nulls_first(self) -> bool:
        """Postgres puts NULL behind everything else, so it comes first where the order descends."""
        return self.order.descending if not self.order.nulls else self.order.nulls == "first"

    @property
    def text(self) -> str:
        direction = " DESC" if self.order.descending else ""
        return f"{self.sql}{direction} NULLS {self.order.nulls.upper()}" if self.order.nulls else self.sql + direction


def sorting(place: Place, query: Select, *, related: bool = False) -> list[Sorted]:
    """The whole order: what was asked for, and the primary key where pages would overlap without it.

    The first page has neither `after` nor `offset`, but must end where the second begins: so an order always gets the
    key, unless it leaves no ties. Not so that of `related` rows, which costs once for each parent and seldom has pages.
    """
    wanted = [*query.order_by, *_tie_breakers(place, query, related=related)]
    return [sorted_by(place, order) for order in wanted]


def sorted_by(place: Place, order: Order) -> Sorted:
    term = place.term(order.target)
    return Sorted(order, term, comparable(term))


def _tie_breakers(place: Place, query: Select, *, related: bool) -> list[Order]:
    table, paged = place.table, bool(query.after) or query.offset is not None
    if not paged and (related or query.one or not query.order_by):
        return []
    named = {order.target.column for order in query.order_by if not order.target.path}
    missing = [name for name in table.key if name not in named]
    if query.after:
        if not table.key and not query.order_by:
            raise HostError(
                "INVALID_ARGUMENT", 400, f'"after" needs an order: table "{table.name}" has no primary key.', {}
            )
    elif not missing or not place.may_read(missing):
        return []  # a column that may not be read may not decide the order either
    return [] if not paged and _decides(table, named) else [Order(Target(name)) for name in missing]


def _decides(table: Table, named: set[str]) -> bool:
    """Whether no two rows are alike in these columns: they hold a unique index without NULL."""
    return any(
        index.unique
        and not index.partial
        and named.issuperset(index.columns)
        and not any(table.columns[name].nullable for name in index.columns)
        for index in table.indexes
    )


def order_text(entries: Sequence[Sorted]) -> str:
    return " ORDER BY " + ", ".join([entry.text for entry in entries]) if entries else ""


def behind(place: Place, entries: Sequence[Sorted], after: Sequence[tuple[str, Slot]]) -> str:
    """The rows that come behind the one whose values are given. Raises 400 INVALID_ARGUMENT naming what is missing."""
    if not after:
        return ""
    slots = dict(after)
    names = [written(entry.order.target) for entry in entries]
    if set(names) != set(slots):
        raise HostError(
            "INVALID_ARGUMENT",
            400,
            f'"after" must have a value for each of: {", ".join(names)}.',
            {"table": place.table.name, "columns": names},
        )
    values = [_value(place, entry, slots[name]) for entry, name in zip(entries, names, strict=True)]
    return behind_policy(place, _behind(entries, values), *[entry.term for entry in entries])


def _behind(entries: Sequence[Sorted], values: Sequence[str]) -> str:
    """Whether a value is null is not known yet, so the text has to hold for both, unless no column can be."""
    plain = all(not entry.term.nullable for entry in entries)
    directions = {entry.order.descending for entry in entries}
    if plain and len(directions) == 1:
        # What an index can be entered with.
        sign = "<" if directions.pop() else ">"
        if len(entries) == 1:
            return f"{entries[0].sql} {sign} {values[0]}"
        return f"({', '.join([entry.sql for entry in entries])}) {sign} ({', '.join(values)})"
    terms: list[str] = []
    equal: list[str] = []
    for entry, value in zip(entries, values, strict=True):
        terms.append(both(*equal, _later(entry, value)))
        same = "IS NOT DISTINCT FROM" if entry.term.nullable else "="
        equal.append(f"{entry.sql} {same} {value}")
    text = "(" + " OR ".join([f"({term})" for term in terms]) + ")"
    first, value = entries[0], values[0]
    if not first.term.nullable:  # redundant, and lets an index on the first column begin at the right place
        text = f"{first.sql} {'<=' if first.order.descending else '>='} {value} AND {text}"
    return text


def _value(place: Place, entry: Sorted, slot: Slot) -> str:
    """The parameter with its type: `$1 IS NULL` alone would not say what it is."""
    encode, cast, _ = operand_codec(entry.term, "eq")
    parameter = place.statement.parameters.slot(slot.index, encode, entry.term.name)
    if cast:
        place.statement.gates.append(parameter + cast)
        return parameter + cast
    return f"{parameter}::{'jsonb' if entry.term.codec.sql == 'json' else entry.term.codec.sql}"


def _later(entry: Sorted, value: str) -> str:
    compared = f"{entry.sql} {'<' if entry.order.descending else '>'} {value}"
    if not entry.term.nullable:
        return compared
    if entry.nulls_first:
        return f"({compared} OR ({value} IS NULL AND {entry.sql} IS NOT NULL))"
    return f"({compared} OR ({entry.sql} IS NULL AND {value} IS NOT NULL))"
