"""Reading statements, word by word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flux.data.compiler import Plan
from flux.data.policy.model import Caller, Grant
from flux.data.query.model import Auth, Compare, Literal, Related, Some, Target
from flux.failure import HostError
from tests.unit.data.compiler.tables import KEY, json_of, planned, protected

SELECT = f'SELECT {KEY} FROM "public"."users" AS t'
OWN = Grant(where=Compare(Target("org"), "eq", Auth(("tenant",))))


def users(**query: Any) -> Plan:
    return planned({"table": "users", "columns": ["id"], **query})


def test_by_key_is_the_plainest_sql() -> None:
    plan = planned({"table": "users", "columns": ["id", "email"], "where": {"id": 7}, "one": True})
    value = f"""concat('{{"id":', {json_of("id")}, ',"email":', {json_of("email")}, '}}')"""
    assert plan.text == f'SELECT {value} FROM "public"."users" AS t WHERE t."id" = $1 LIMIT 1'
    assert plan.parameters([7], Caller(), None) == [7]
    assert (plan.shape, plan.writes, plan.tables) == ("row", False, ("users",))
    assert plan.answer([b"{}"]) == b"{}"
    assert plan.answer([]) == b"null"


def test_all_columns() -> None:
    text = planned({"table": "posts"}).text
    assert text.endswith(' FROM "public"."posts" AS t LIMIT 100')
    assert re.findall(r"""[{,]"([a-z_]+)":' \|\| coalesce""", text) == ["id", "author_id", "title", "state"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"email": "a", "age": None}, 't."email" = $1 AND t."age" IS NULL'),
        ({"age": {"gte": 1, "lt": 5}}, 't."age" >= $1 AND t."age" < $2'),
        ({"or": [{"age": 1}, {"age": 2, "org": "x"}]}, '(t."age" = $1 OR (t."age" = $2 AND t."org" = $3))'),
        ({"not": {"or": [{"age": 1}, {"age": 2}]}}, 'NOT ((t."age" = $1 OR t."age" = $2))'),
        ({"age": {"not": {"gt": 3, "lt": 5}}}, 'NOT (t."age" > $1 AND t."age" < $2)'),
        ({"age": {"in": [1, 2]}}, 't."age" = ANY ($1)'),
        ({"age": {"in": [1, None]}}, '(t."age" = ANY ($1) OR t."age" IS NULL)'),
        ({"age": {"nin": [1]}}, 't."age" <> ALL ($1)'),
        ({"age": {"nin": [1, None]}}, 't."age" <> ALL ($1) AND t."age" IS NOT NULL'),
        ({"age": {"between": [1, 2]}}, 't."age" BETWEEN $1 AND $2'),
        ({"email": {"ilike": {"all": ["a%"]}}}, 't."email" ILIKE ALL ($1)'),
        ({"age": {"gt": {"any": [1]}}}, 't."age" > ANY ($1)'),
        ({"age": {"is_distinct": 1}}, 't."age" IS DISTINCT FROM $1'),
        ({"tags": {"contains": ["a"]}}, 't."tags" @> $1'),
        ({"period": {"adjacent": "[1,2)"}}, 't."period" -|- $1::text::int4range'),
        ({"period": {"in": ["[1,2)"]}}, 't."period" = ANY ($1::text[]::int4range[])'),
        ({"settings": {"contains": {"a": 1}}}, 't."settings" @> $1'),
        ({"settings->a->0->>b": "x"}, '(t."settings" -> $1::text -> 0 ->> $2::text) = $3'),
        ({"full_name": "x"}, '"public"."full_name"(t.*) = $1'),
        (
            {"posts": {"some": {"title": "x"}}},
            'EXISTS (SELECT 1 FROM "public"."posts" AS t1 WHERE t1."author_id" = t."id" AND t1."title" = $1)',
        ),
        (
            {"posts": {"every": {"title": "x"}}},
            'NOT EXISTS (SELECT 1 FROM "public"."posts" AS t1 WHERE t1."author_id" = t."id" '
            'AND (t1."title" = $1) IS NOT TRUE)',
        ),
        ({"posts": {"none": {}}}, 'NOT EXISTS (SELECT 1 FROM "public"."posts" AS t1 WHERE t1."author_id" = t."id")'),
    ],
)
def test_conditions(where: dict[str, Any], expected: str) -> None:
    assert users(where=where).text == f"{SELECT} WHERE {expected} LIMIT 100"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # The key, as the next page goes on behind it.
        ({"order_by": ["org", {"age": "desc"}]}, 'ORDER BY t."org", t."age" DESC, t."id" LIMIT 100'),
        (
            {"order_by": {"age": {"direction": "asc", "nulls": "first"}}},
            'ORDER BY t."age" NULLS FIRST, t."id" LIMIT 100',
        ),
        ({"order_by": ["org", "email"]}, 'ORDER BY t."org", t."email" LIMIT 100'),
        ({"order_by": "settings->email"}, """ORDER BY (t."settings" -> $1::text), t."id" LIMIT 100"""),
        ({"limit": 5}, "LIMIT $1"),
        ({"limit": 5, "offset": 10}, 'ORDER BY t."id" LIMIT $1 OFFSET $2'),
        ({"after": {"id": 3}}, 'WHERE t."id" > $1::bigint ORDER BY t."id" LIMIT 100'),
        (
            {"order_by": "email", "after": {"email": "a", "id": 3}},
            'WHERE (t."email", t."id") > ($1::text, $2::bigint) ORDER BY t."email", t."id" LIMIT 100',
        ),
        (
            {"order_by": {"email": "desc"}, "after": {"email": "a", "id": 3}},
            'WHERE t."email" <= $1::text AND ((t."email" < $1::text) '
            'OR (t."email" = $1::text AND t."id" > $2::bigint)) '
            'ORDER BY t."email" DESC, t."id" LIMIT 100',
        ),
        (
            {"order_by": [{"age": "desc"}, {"id": "desc"}], "after": {"age": None, "id": 3}},
            'WHERE (((t."age" < $1::integer OR ($1::integer IS NULL AND t."age" IS NOT NULL))) '
            'OR (t."age" IS NOT DISTINCT FROM $1::integer AND t."id" < $2::bigint)) '
            'ORDER BY t."age" DESC, t."id" DESC LIMIT 100',
        ),
    ],
)
def test_pages(query: dict[str, Any], expected: str) -> None:
    assert users(**query).text == f"{SELECT} {expected}"


def test_one_row_is_no_page() -> None:
    assert users(order_by={"age": "desc"}, one=True).text.endswith(' ORDER BY t."age" DESC LIMIT 1')


def test_related_rows() -> None:
    fields = {"id": True, "posts": {"columns": ["id", "title"], "order_by": {"id": "desc"}, "limit": 3}}
    inner = f"""'{{"id":' || {json_of("id", "t1")}::text || ',"title":' || {json_of("title", "t1")}::text || '}}'"""
    posts = (
        f"(SELECT concat('[', string_agg({inner}, ','), ']') "
        'FROM (SELECT t1.* FROM "public"."posts" AS t1 WHERE t1."author_id" = t."id" '
        'ORDER BY t1."id" DESC LIMIT $1) AS t1)'
    )
    assert planned({"table": "users", "select": fields}).text == (
        f"""SELECT '{{"id":' || {json_of("id")}::text || ',"posts":' || coalesce({posts}, 'null')::text || '}}' """
        'FROM "public"."users" AS t LIMIT 100'
    )


def test_a_related_row_and_aliases() -> None:
    """A foreign alias never gets into the text: it is a parameter."""
    plan = planned({"table": "posts", "select": {"mine": "title", "author": {"select": {"x'y": "email"}}}})
    author = (
        f"(SELECT $1::text || {json_of('email', 't1')}::text || '}}' "
        'FROM "public"."users" AS t1 WHERE t1."id" = t."author_id" LIMIT 1)'
    )
    assert plan.text == (
        f"""SELECT $2::text || {json_of("title")}::text || ',"author":' || coalesce({author}, 'null')::text || '}}' """
        'FROM "public"."posts" AS t LIMIT 100'
    )
    assert plan.parameters([], Caller(), None) == ['{"x\'y":', '{"mine":']


def test_count_and_aggregate() -> None:
    plan = planned({"table": "users", "operation": "count", "where": {"age": 3}})
    assert plan.text == 'SELECT count(*) AS n FROM "public"."users" AS t WHERE t."age" = $1'
    document = {
        "table": "users",
        "operation": "aggregate",
        "aggregates": {"n": "count", "age": {"max": "age"}},
        "group_by": ["org", {"theme": "settings->>theme"}],
        "having": {"n": {"gt": 2}},
        "order_by": {"age": "desc"},
        "where": {"org": {"neq": "x"}},
    }
    head, _, tail = planned(document).text.partition(" FROM ")
    assert head.startswith(f"""SELECT '{{"org":' || {json_of("org")}::text || $2::text || """)
    assert tail == (
        '"public"."users" AS t WHERE t."org" <> $4 GROUP BY t."org", (t."settings" ->> $1::text) '
        'HAVING count(*) > $5 ORDER BY max(t."age") DESC, t."org", (t."settings" ->> $1::text) LIMIT 100'
    )


def test_policies_stand_beside_the_callers_conditions() -> None:
    policies = protected(
        users={"select": OWN}, posts={"select": Grant(where=Compare(Target("state"), "eq", Literal("public")))}
    )
    query = {"table": "users", "columns": ["id"], "where": {"or": [{"age": 1}, {"posts": {"some": {"title": "x"}}}]}}
    plan = planned(query, policies)
    assert plan.text == (
        f'{SELECT} WHERE t."org" = $1 AND (t."age" = $2 OR (EXISTS (SELECT 1 FROM "public"."posts" AS t1 '
        'WHERE t1."author_id" = t."id" AND CASE WHEN t1."state" = $3 THEN true END AND t1."state" = $3 '
        'AND t1."title" = $4))) LIMIT 100'
    )
    assert plan.parameters([1, "x"], Caller(tenant="acme"), None) == ["acme", 1, "public", "x"]
    assert [(each.table, each.operation) for each in plan.policies] == [("users", "select"), ("posts", "select")]


def test_what_fails_for_a_callers_value_fails_before_rows_are_looked_at() -> None:
    query = {"table": "users", "columns": ["id"], "where": {"email": {"match": "("}, "period": {"overlaps": "x"}}}
    assert planned(query).text == (f"""{SELECT} WHERE t."email" ~ $1 AND t."period" && $2::text::int4range LIMIT 100""")
    assert planned(query, protected(users={"select": OWN})).text == (
        f'{SELECT} WHERE t."org" = $1 AND CASE WHEN t."org" = $1 THEN t."email" ~ $2 ELSE false END '
        'AND t."period" && $3::text::int4range '
        "AND num_nonnulls('' ~ $2::text, $3::text::int4range) >= 0 LIMIT 100"
    )


def test_what_fails_for_a_row_comes_after_the_policy() -> None:
    query = {"table": "users", "columns": ["id"], "where": {"full_name": "x"}}
    assert planned(query, protected(users={"select": OWN})).text == (
        f'{SELECT} WHERE t."org" = $1 AND CASE WHEN t."org" = $1 THEN "public"."full_name"(t.*) = $2 '
        "ELSE false END LIMIT 100"
    )


def test_policies_that_look_at_rows_nobody_may_read() -> None:
    asks = Grant(
        where=Some(
            (Related("posts", "some", Compare(Target("id"), "eq", Literal(1))), Related("posts", "none", Some(())))
        )
    )
    plan = planned({"table": "users", "columns": ["id"]}, protected(users={"select": asks}, posts={}))
    assert plan.text == f"{SELECT} WHERE (false OR true) LIMIT 100"


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"columns": ["emial"]}, "UNKNOWN_COLUMN", 'Did you mean "email"?'),
        ({"table": "user"}, "UNKNOWN_TABLE", 'Did you mean "users"?'),
        ({"where": {"post": {"some": {}}}}, "UNKNOWN_RELATION", 'Did you mean "posts"?'),
        (
            {"where": {"age": {"like": "1%"}}},
            "INVALID_ARGUMENT",
            '"age" is of type integer, which has no "like"; it has: eq',
        ),
        ({"where": {"email": {"overlaps": "x"}}}, "INVALID_ARGUMENT", "like, ilike"),
        ({"where": {"age": {"fts": "x"}}}, "INVALID_ARGUMENT", '"fts"'),
        ({"where": {"email->>a": "x"}}, "INVALID_ARGUMENT", "only json and jsonb have places inside"),
        ({"where": {"tags": {"eq": {"any": [["x"]]}}}}, "INVALID_ARGUMENT", "of arrays"),
        ({"where": {"age": {"is": True}}}, "INVALID_ARGUMENT", "want a boolean"),
        ({"after": {"age": 1}, "order_by": "age"}, "INVALID_ARGUMENT", "age, id"),
        ({"distinct": True, "order_by": "age"}, "INVALID_ARGUMENT", "the answer does not hold"),
    ],
)
def test_mistakes(query: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(HostError) as caught:
        users(**query)
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert words in str(caught.value)


def test_values_that_do_not_fit_name_their_column() -> None:
    plan = users(where={"age": 1, "email": {"like": "x"}})
    for values, column in ([["x", "y"], "age"], [[1, "a\\"], "email"], [[10**400, "y"], "age"]):
        with pytest.raises(HostError) as caught:
            plan.parameters(values, Caller(), None)
        assert (caught.value.code, caught.value.details) == ("INVALID_VALUE", {"column": column})


def test_facts_that_do_not_fit_are_null() -> None:
    policies = protected(posts={"select": Grant(where=Compare(Target("author_id"), "eq", Auth(("uid",))))})
    plan = planned({"table": "posts"}, policies)
    for uid, expected in (("5", 5), ("five", None), (None, None)):
        assert plan.parameters([], Caller(uid=uid), None) == [expected]
    policies = protected(posts={"select": Grant(where=Compare(Target("state"), "eq", Auth(("claims", "level"))))})
    plan = planned({"table": "posts"}, policies)
    for level, expected_text in ((3, "3"), (True, "true"), ([1], None), ("x", "x")):
        assert plan.parameters([], Caller(claims={"level": level}), None) == [expected_text]
