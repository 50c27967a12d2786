"""Which columns a query finds, joins and orders rows by: where an index could serve. Pure.

One `Access` is one way into a table: what stands in a conjunction is one, each side of an `or` is one of its own, and
so are related rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from flux.data.policy.model import Policies
from flux.data.query.model import (
    Aggregate,
    Compare,
    Condition,
    Count,
    Delete,
    Every,
    Insert,
    Is,
    Nested,
    Not,
    Order,
    Query,
    Related,
    Select,
    Some,
    Update,
)
from flux.data.schema.model import Relation, Schema, Table

_EQUAL: Final = frozenset(("eq", "in"))
_RANGE: Final = frozenset(("gt", "gte", "lt", "lte", "between"))
_PATTERN: Final = frozenset(("like", "ilike", "match", "imatch"))
# Postgres has no order for their values, so no B-tree takes them.
_UNSORTED: Final = frozenset(
    ("json", "xml", "jsonpath", "point", "line", "lseg", "box", "path", "polygon", "circle", "xid", "cid", "aclitem")
)

Method = Literal["gin", "gist", "trigram"]


@dataclass(slots=True)
class Access:
    """`equal` before `ranges` before `order` is how a B-tree serves. `special`: columns that need an index of another
    kind. `order` has (column, descending, nulls first); `limited`: only the first rows in that order are wanted.
    """

    table: Table
    equal: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    special: list[tuple[str, Method]] = field(default_factory=list)
    order: list[tuple[str, bool, bool]] = field(default_factory=list)
    limited: bool = False
    joined: bool = False


def accesses(query: Query, schema: Schema, policies: Policies, role: str) -> list[Access]:
    """Of every table that the query reads. Raises 400 UNKNOWN_TABLE, UNKNOWN_RELATION."""
    return list(_Finder(schema, policies, role).query(query))


@dataclass(frozen=True, slots=True)
class _Finder:
    schema: Schema
    policies: Policies
    role: str

    def query(self, query: Query) -> Iterator[Access]:
        table = self.schema.table(query.table)
        if isinstance(query, Select):
            yield from self.select(query, table, ())
        elif isinstance(query, Update | Delete):
            operation: Literal["update", "delete"] = "update" if isinstance(query, Update) else "delete"
            grant = self.policies.grant(table.name, self.role, operation)
            yield from self.rows(table, (*((grant.where,) if grant else ()), query.where), ())
        elif isinstance(query, Aggregate | Count):
            yield from self.rows(table, self.seen(table, query.where), ())
        else:
            assert isinstance(query, Insert)

    def select(self, select: Select, table: Table, joined: Iterable[str]) -> Iterator[Access]:
        yield from self.rows(table, self.seen(table, select.where), joined, select.order_by)
        for each in select.fields or ():
            if isinstance(each, Nested):
                relation = table.relation(each.relation)
                yield from self.select(each.select, self.schema.table(relation.target), relation.target_columns)

    def seen(self, table: Table, where: Condition) -> tuple[Condition, ...]:
        """What a row must fulfil to be seen: the policy's condition and the query's."""
        grant = self.policies.grant(table.name, self.role, "select")
        return (where,) if grant is None else (grant.where, where)

    def rows(
        self, table: Table, conditions: Iterable[Condition], joined: Iterable[str], order: tuple[Order, ...] = ()
    ) -> Iterator[Access]:
        access = Access(table)
        access.equal += joined
        access.joined = bool(access.equal)
        further: list[Access] = []
        for condition in conditions:
            self.condition(condition, access, further)
        for each in order:
            if each.target.path or not _sorted(table, each.target.column):
                break
            nulls_first = each.descending if not each.nulls else each.nulls == "first"
            access.order.append((each.target.column, each.descending, nulls_first))
        access.limited = bool(order)  # a select always has a limit
        yield access
        yield from further

    def condition(self, condition: Condition, access: Access, further: list[Access]) -> None:
        match condition:
            case Every(terms):
                for term in terms:
                    self.condition(term, access, further)
            case Some(terms):
                for term in terms:
                    side = Access(access.table)
                    self.condition(term, side, further)
                    further.append(side)
            case Is(target, "null", False) if not target.path:
                _add(access, access.equal, target.column)
            case Compare():
                _compare(condition, access)
            case Related(relation, quantifier, where):
                self.related(access.table.relation(relation), quantifier, where, further)
            case Not() | Is():
                pass  # what is not so is mostly most rows

    def related(self, relation: Relation, quantifier: str, where: Condition, further: list[Access]) -> None:
        target = self.schema.table(relation.target)
        conditions = self.seen(target, where) if quantifier != "every" else self.seen(target, Every(()))
        further += self.rows(target, conditions, relation.target_columns)


def _compare(condition: Compare, access: Access) -> None:
    column = access.table.columns.get(condition.target.column)
    if column is None or condition.target.path or condition.quantifier == "all":
        return  # an expression: what index it needs, its author knows
    operator = condition.operator
    if operator in _EQUAL:
        _add(access, access.equal, column.name)
    elif operator in _RANGE:
        _add(access, access.ranges, column.name)
    elif operator in _PATTERN:
        if column.type.startswith(("text", "character varying")):  # the extension has nothing for the other texts
            access.special.append((column.name, "trigram"))
    elif column.type != "json" and (method := _METHODS.get(column.family)):
        access.special.append((column.name, method))


# What serves the other operators (contains, overlaps, fts ...), by the family of the column.
_METHODS: Final[Mapping[str, Method]] = {"array": "gin", "json": "gin", "fts": "gin", "range": "gist"}


def _add(access: Access, columns: list[str], name: str) -> None:
    if _sorted(access.table, name) and name not in columns:
        columns.append(name)


def _sorted(table: Table, name: str) -> bool:
    """Whether it is a column that a B-tree takes."""
    column = table.columns.get(name)
    return column is not None and column.type.removesuffix("[]") not in _UNSORTED
