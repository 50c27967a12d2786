"""A condition of a policy as SQL text for CREATE POLICY. Pure.

Names come from the schema and are quoted; constants are the policy's author's, quoted; a caller's facts are calls of
`flux_auth`, each in a subquery of its own so that it runs once per statement and not once per row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import orjson

from flux.data.policy.model import Grant, Policies
from flux.data.policy.operands import Constant, Typed, typed
from flux.data.query.model import Auth, Compare, Condition, Every, Is, Literal, Not, Operand, Related, Some, Target
from flux.data.schema.model import Relation, Schema, Table

_OPERATORS = {
    **{"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "like": "LIKE", "ilike": "ILIKE"},
    **{"contains": "@>", "contained": "<@", "overlaps": "&&"},
    "is_distinct": "IS DISTINCT FROM",
}


class Unreadable(Exception):
    """Raw SQL of the role cannot have this condition checked; the message says why."""


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def constant(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes conditions as `role` means them: related rows are those that it may read. Postgres sees to that where it
    applies row-level security; `inline` writes it out, for statements of the tables' owner.
    """

    schema: Schema
    policies: Policies
    role: str
    inline: bool = False

    def write(self, condition: Condition, table: Table, alias: str = "", depth: int = 0) -> str:
        """`alias` (quoted): the name of the table's row; the table's own name when it is empty. Raises Unreadable."""
        alias = alias or name(table.name)
        match condition:
            case Every(terms) | Some(terms):
                word, nothing = (" AND ", "true") if isinstance(condition, Every) else (" OR ", "false")
                return word.join(f"({self.write(term, table, alias, depth)})" for term in terms) or nothing
            case Not(term):
                return f"NOT ({self.write(term, table, alias, depth)})"
            case Is(target, value, negated):
                return f"{self.place(target, table, alias)} IS {'NOT ' if negated else ''}{value.upper()}"
            case Related():
                return self.related(condition, table, alias, depth + 1)
            case Compare():
                return self.compared(condition, table, alias)

    def related(self, condition: Related, table: Table, alias: str, depth: int) -> str:
        relation = table.relation(condition.relation)
        target = self.schema.table(relation.target)
        grant = self.policies.grant(relation.target, self.role, "select")
        if grant is None:  # there are no rows that it may read
            return "false" if condition.quantifier == "some" else "true"
        if not self.inline:
            self.check_readable(relation, condition.where, grant)
        inner = f"r{depth}"
        joined = " AND ".join(
            f"{inner}.{name(there)} = {alias}.{name(here)}"
            for here, there in zip(relation.columns, relation.target_columns, strict=True)
        )
        where = self.write(condition.where, target, inner, depth)
        wanted = f"({where}) IS NOT TRUE" if condition.quantifier == "every" else f"({where})"
        if self.inline:
            joined += f" AND ({self.write(grant.where, target, inner, depth)})"
        rows = f"{name(target.schema)}.{name(target.name)} AS {inner}"
        exists = f"EXISTS (SELECT 1 FROM {rows} WHERE {joined} AND {wanted})"  # noqa: S608  quoted names of the schema
        return exists if condition.quantifier == "some" else f"NOT {exists}"

    def check_readable(self, relation: Relation, where: Condition, grant: Grant) -> None:
        needed = {*relation.target_columns, *_columns(where)}
        if grant.readable is not None and not needed <= grant.readable:
            missing = min(needed - grant.readable)
            raise Unreadable(f'"{relation.target}.{missing}", which a condition looks at, is not readable')

    def compared(self, condition: Compare, table: Table, alias: str) -> str:
        place = typed(table, condition.target)
        left = self.place(condition.target, table, alias)
        if condition.operator in ("in", "nin"):
            assert isinstance(condition.operand, Auth)
            compared = f"{left} = ANY ({_fact(condition.operand, place, listed=True)})"
            return compared if condition.operator == "in" else f"NOT {compared}"
        return f"{left} {_OPERATORS[condition.operator]} {self.operand(condition.operand, place, table, alias)}"

    def operand(self, operand: Operand, place: Typed, table: Table, alias: str) -> str:
        match operand:
            case Target():
                return self.place(operand, table, alias)
            case Literal(value):
                return _literal(value, place)
            case Auth():
                return _fact(operand, place, listed=place.family == "array")
            case _:
                raise TypeError("a condition with a caller's values is no policy's")

    def place(self, target: Target, table: Table, alias: str) -> str:
        computed = table.computed.get(target.column)
        if computed is not None and target.column not in table.columns:
            return f"{name(computed.schema)}.{name(computed.function)}({alias}.*)"
        text = f"{alias}.{name(target.column)}"
        if typed(table, Target(target.column)).codec.sql == "json":
            text = f"{text}::jsonb"  # which has comparisons
        for index, key in enumerate(target.path):
            last = index == len(target.path) - 1
            text += ("->>" if last and target.as_text else "->") + (str(key) if isinstance(key, int) else constant(key))
        return f"({text})" if target.path else text


def _columns(condition: Condition) -> Iterator[str]:
    """The columns of the condition's own table that it looks at."""
    match condition:
        case Compare(target, _, operand):
            yield target.column
            if isinstance(operand, Target):
                yield operand.column
        case Is(target):
            yield target.column
        case Not(term):
            yield from _columns(term)
        case Every(terms) | Some(terms):
            for term in terms:
                yield from _columns(term)


def _fact(fact: Auth, place: Typed, *, listed: bool) -> str:
    """A caller's fact as a value of the column's type, NULL where it does not fit."""
    path = "{" + ",".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in fact.path) + "}"
    if listed:
        element = place.codec.sql if place.codec.array else f"{place.codec.sql}[]"
        element = element if element.endswith("[]") else f"{element}[]"
        return f"(SELECT flux_auth.fit_list({constant(path)}, NULL::{element}))::{element}"
    if place.family == "text" and place.codec.sql == "text":
        return f"(SELECT flux_auth.fact({constant(path)}))"
    return f"(SELECT flux_auth.fit({constant(path)}, NULL::{place.codec.sql}))"


def _literal(value: Constant | tuple[Constant, ...], place: Typed) -> str:
    sql = "jsonb" if place.family == "json" else place.codec.sql
    if place.family == "json":
        plain = list(value) if isinstance(value, tuple) else value
        return f"{constant(orjson.dumps(plain).decode())}::jsonb"
    if isinstance(value, tuple):
        array = sql if sql.endswith("[]") else f"{sql}[]"
        encoded = place.codec.encode(list(value))
        return f"ARRAY[{', '.join('NULL' if each is None else _scalar(each) for each in encoded)}]::{array}"
    raw = place.codec.encode(value)
    if isinstance(raw, datetime | date) and (raw.year in (1, 9999)):
        return f"{constant(str(value))}::{sql}"  # infinity
    return f"{_scalar(raw)}::{sql}"


def _scalar(value: object) -> str:
    """An encoded value (as asyncpg would take it) as a constant."""
    if isinstance(value, bytes):
        return constant("\\x" + value.hex())
    if isinstance(value, datetime):
        return constant(value.isoformat(" "))
    return constant(str(value).lower() if isinstance(value, bool) else str(value))
