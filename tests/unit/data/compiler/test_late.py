"""What the trigger is asked that checks rows before their keys are looked at, word by word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from flux.data.compiler import Plan, compile, may_be_late, told
from flux.data.guard import Guard
from flux.data.policy.model import Caller, Grant, Operation, TablePolicy
from flux.data.query import parse
from flux.data.query.model import Auth, Compare, Condition, Literal, Target
from flux.data.schema.model import Schema, Table
from flux.failure import HostError
from tests.unit.data.compiler.tables import ROLE, SCHEMA, USERS, protected, text

REFUSE = "CAST('flux: a policy refuses this row' || left(random()::text, 0) AS integer)"
OWN = Compare(Target("label"), "eq", Auth(("tenant",)))
CHECKED = replace(
    USERS,
    oid=77,
    checked=True,
    columns={**USERS.columns, "label": text("label", generated="stored", default="upper(org)")},
)
INSERT = {"table": "users", "operation": "insert", "data": {"email": "a"}, "returning": ["id"]}


def plan_of(document: dict[str, Any], table: Table, check: Condition = OWN) -> Plan:
    schema = Schema(tables={**SCHEMA.tables, "users": table})
    policies = protected(users={"select": Grant(), "insert": Grant(check=check), "update": Grant(check=check)})
    query, _ = parse(document)
    return compile(query, schema, policies, ROLE, guard=Guard(), record=False)


def test_an_insert() -> None:
    plan = plan_of(INSERT, CHECKED)
    assert plan.text.endswith(
        " FROM w WHERE (SELECT set_config('flux.check', json_build_object('at', statement_timestamp()::text, "
        "'table', 77, 'INSERT', $4::text, 'values', ARRAY[($3::text)::text]::text[])::text, true)) IS NOT NULL"
    )
    parameters = plan.parameters(["a"], Caller(tenant="acme"), None)
    assert parameters[:3] == ["a", "acme", "acme"]
    row = (
        '(SELECT ROW("id", "email", "org", "age", "settings", "period", "tags", (upper(org)))::"public"."users" '
        'FROM (SELECT (($1)::"public"."users").*) AS r)'
    )
    assert parameters[3] == (
        f'SELECT CASE WHEN t."label" = (($2)[1])::text THEN 1 ELSE {REFUSE} END FROM unnest(ARRAY[{row}]) AS t'
    )
    assert not plan.veiled


def test_of_a_table_without_generated_columns_the_row_is_what_it_is() -> None:
    columns = {name: column for name, column in CHECKED.columns.items() if name != "label"}
    stirred = replace(CHECKED, columns=columns, rewritten=True)
    plan = plan_of(INSERT, stirred, Compare(Target("age"), "gt", Literal(5)))
    asked = plan.parameters(["a"], Caller(), None)[-1]
    assert asked == (
        f'SELECT CASE WHEN t."age" > (($2)[1])::integer THEN 1 ELSE {REFUSE} END '
        'FROM unnest(ARRAY[($1)::"public"."users"]) AS t'
    )


def test_an_upsert_asks_nothing_of_rows_that_are_there() -> None:
    plan = plan_of({**INSERT, "operation": "upsert", "on_conflict": ["email"]}, CHECKED)
    updated, inserted = plan.parameters(["a"], Caller(tenant="acme"), None)[-2:]
    there = 'OR EXISTS (SELECT 1 FROM "public"."users" AS t1 WHERE t1."email" = t."email") THEN 1'
    assert there in inserted
    assert there not in updated
    assert "'INSERT', " in plan.text
    assert "'UPDATE', " in plan.text


def test_an_update_may_move_a_row_to_another_partition() -> None:
    plan = plan_of({"table": "users", "operation": "update", "data": {"org": "x"}, "all": True}, CHECKED)
    updated, inserted = plan.parameters(["x"], Caller(tenant="acme"), None)[-2:]
    assert updated.replace("[1]", "[2]") == inserted  # each with a value of its own


@pytest.mark.parametrize("document", [INSERT, {**INSERT, "operation": "update", "data": {"org": "x"}, "all": True}])
def test_without_the_trigger_refusals_and_keys_are_told_alike(document: dict[str, Any]) -> None:
    plan = plan_of(document, replace(CHECKED, checked=False))
    assert plan.veiled
    assert "flux.check" not in plan.text
    errors = [HostError(code, 409, code, {"table": "users"}) for code in ("UNIQUE_VIOLATION", "EXCLUSION_VIOLATION")]
    found = [told(plan, error).payload() for error in (*errors, HostError("FORBIDDEN_ROW", 403, "no", {}))]
    assert found[0] == found[1] == found[2]
    assert orjson.loads(found[0])["code"] == "FORBIDDEN_ROW"
    other = HostError("NOT_NULL_VIOLATION", 400, "null")
    assert told(plan, other) is other
    assert told(replace(plan, veiled=False), errors[0]) is errors[0]


@pytest.mark.parametrize(
    ("table", "column", "late"),
    [
        (USERS, "org", False),
        (USERS, "label", True),  # generated
        (USERS, "id", True),  # a default that is no constant
        (USERS, "full_name", True),  # computed
        (replace(USERS, rewritten=True), "org", True),
        (replace(USERS, kind="view"), "org", True),
    ],
)
def test_which_policies_need_it(table: Table, column: str, late: bool) -> None:
    check = Compare(Target(column), "eq", Auth(("tenant",)))
    reads: dict[tuple[str, Operation], Grant] = {
        ("*", "select"): Grant(where=check),
        ("*", "delete"): Grant(where=check),
    }
    assert not may_be_late(table, TablePolicy(table="users", grants=reads))
    assert may_be_late(table, TablePolicy(table="users", grants={("*", "insert"): Grant(check=check)})) == late
    assert may_be_late(table, TablePolicy(table="users", grants={("*", "update"): Grant(where=check)})) == late
    assert not may_be_late(table, TablePolicy(table="users", grants={("*", "insert"): Grant()}))
