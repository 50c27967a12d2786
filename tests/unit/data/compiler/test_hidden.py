"""What a caller's conditions do with rows that policies hide, word by word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flux.data.policy.model import Caller, Grant
from flux.data.query.model import Auth, Compare, Condition, Every, Is, Related, Some, Target
from tests.unit.data.compiler.tables import KEY, planned, protected

SELECT = f'SELECT {KEY} FROM "public"."users" AS t WHERE '
OWN = Compare(Target("org"), "eq", Auth(("tenant",)))
GROWN = Compare(Target("age"), "gt", Auth(("claims", "age")))
EITHER, EITHER_SQL = Some((OWN, GROWN)), '(t."org" = $1 OR t."age" > $2)'


def text_of(policy: Condition, /, **query: Any) -> str:
    plan = planned({"table": "users", "columns": ["id"], **query}, protected(users={"select": Grant(where=policy)}))
    return plan.text.removeprefix(SELECT)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"org": {"like": "a%"}}, 't."org" LIKE $3'),  # of any size
        ({"tags": {"contains": ["x"]}}, 't."tags" @> $3'),
        ({"settings->a": 1}, '(t."settings" -> $3::text) = $4'),
        ({"settings->a": {"is_null": True}}, '(t."settings" -> $3::text) IS NULL'),
    ],
)
def test_what_takes_its_time_stands_behind_a_dear_policy(condition: dict[str, Any], expected: str) -> None:
    """Postgres would look at a single comparison first."""
    assert text_of(EITHER, where=condition) == (
        f"{EITHER_SQL} AND CASE WHEN {EITHER_SQL} THEN {expected} ELSE false END LIMIT 100"
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"email": {"like": "a%"}}, 't."email" LIKE $3'),  # an index may serve, and holds nothing large
        ({"age": 7}, 't."age" = $3'),
        ({"org": {"is_null": True}}, 't."org" IS NULL'),
    ],
)
def test_what_is_quick_or_has_an_index_does_not(condition: dict[str, Any], expected: str) -> None:
    assert text_of(EITHER, where=condition) == f"{EITHER_SQL} AND {expected} LIMIT 100"


def test_a_cheap_policy_comes_first_instead() -> None:
    """As it is no equality there: Postgres puts those behind the others."""
    own = 't."org" = $1'
    first = f"CASE WHEN {own} THEN true END AND {own}"
    assert text_of(OWN, where={"org": {"like": "a%"}}) == f'{first} AND t."org" LIKE $2 LIMIT 100'
    assert text_of(OWN, where={"or": [{"age": 1}, {"org": "x"}]}).startswith(first)
    assert text_of(OWN, where={"age": 1}) == f'{own} AND t."age" = $2 LIMIT 100'


@pytest.mark.parametrize(
    "policy",
    [
        Every((OWN, GROWN)),
        Is(Target("age"), "null", negated=True),
        Compare(Target("org"), "like", Auth(("tenant",))),
        Compare(Target("period"), "contains", Auth(("tenant",))),  # which is cast
        Compare(Target("settings", ("a",), as_text=True), "eq", Auth(("tenant",))),
        Compare(Target("full_name"), "eq", Auth(("tenant",))),
        Compare(Target("org"), "eq", Target("email")),
        Related("posts", "some", Every(())),
    ],
)
def test_all_other_policies_are_dear(policy: Condition) -> None:
    found = text_of(policy, where={"org": {"like": "a%"}})
    assert re.search(r'CASE WHEN .* THEN t."org" LIKE \$[0-9] ELSE false END LIMIT', found)


def test_pages_by_what_may_fail_or_take_long() -> None:
    """A computed column may fail for what a row holds."""
    own = '(t."org" = $1 OR t."age" > $2)'
    after = {"order_by": "full_name", "after": {"full_name": "x", "id": 1}}
    assert f"{own} AND CASE WHEN {own} THEN ((" in text_of(EITHER, **after)
    assert 'AND CASE WHEN t."org" = $1 THEN ((' in text_of(OWN, **after)
    by_org = {"order_by": "org", "after": {"org": "x", "id": 1}}
    assert f"CASE WHEN {own} THEN ((" in text_of(EITHER, **by_org)
    assert text_of(OWN, **by_org).startswith('CASE WHEN t."org" = $1 THEN true END AND ')


def test_callers_facts_are_the_parameters() -> None:
    policies = protected(users={"select": Grant(where=EITHER)})
    plan = planned({"table": "users", "where": {"org": {"like": "a%"}}}, policies)
    assert plan.parameters(["a%"], Caller(tenant="acme", claims={"age": 3}), None) == ["acme", 3, "a%"]
