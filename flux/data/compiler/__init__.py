"""Queries become statements: `compile(query, schema, policies, role, guard=...) -> Plan`. Pure.

Theory of operation. A statement is written once per shape of a query; it holds names of the schema and `$n`, never a
word of the caller's: values are parameters, and so are aliases and the members of JSON that a query names. What a role
may not see is not left out afterwards but never asked for: `statement.Place` is the only way to a column, and its row
condition stands beside the caller's wherever rows are read.

What must never happen: a row or column that the policies hide is answered, counted, compared, sorted by or changed; an
answer or an error depends on one. (Unique and foreign keys are the exception: Postgres checks them against all rows.)

Where to look: `statement` (what parts share), `terms` (columns), `operators`, `conditions`, `hidden` (WHERE), `order`
(ORDER BY and keyset), `fields` and `json_form` (answers), `select`, `distinct`, `aggregate`, `insert`, `upsert`,
`change` (operations), `written` (what all writes have around them), `ahead`, `given` and `late` (checks that come
before keys), `parameters` and `plan` (what comes out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flux.data.policy.model import Policies
from flux.data.query.model import Aggregate, Count, Insert, Query, Select, Update
from flux.data.schema.model import Schema

from .aggregate import plan_aggregate
from .ahead import may_be_late
from .change import plan_delete, plan_update
from .insert import plan_insert
from .plan import Applied, Plan
from .select import plan_count, plan_select
from .statement import Statement
from .written import forbidden_row, is_refused, told

if TYPE_CHECKING:
    from flux.data.guard import Guard

__all__ = ["Applied", "Plan", "compile", "forbidden_row", "is_refused", "may_be_late", "told"]


def compile(  # the contract's name; the builtin is not needed here
    query: Query, schema: Schema, policies: Policies, role: str, *, guard: Guard, record: bool = True
) -> Plan:
    """`record`: a writing plan sets the identity of its mutations.

    Raises 400 UNKNOWN_TABLE, UNKNOWN_COLUMN, UNKNOWN_RELATION, INVALID_ARGUMENT, MISSING_VALUE; 403 FORBIDDEN_TABLE,
    FORBIDDEN_COLUMN. While it runs, a plan that writes may fail with what `is_refused` knows: 403 FORBIDDEN_ROW.
    """
    statement = Statement(schema, policies, role, guard)
    if isinstance(query, Select):
        return plan_select(statement, query)
    if isinstance(query, Insert):
        return plan_insert(statement, query, record=record)
    if isinstance(query, Update):
        return plan_update(statement, query, record=record)
    if isinstance(query, Count):
        return plan_count(statement, query)
    if isinstance(query, Aggregate):
        return plan_aggregate(statement, query)
    return plan_delete(statement, query, record=record)
