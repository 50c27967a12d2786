"""Writing statements, word by word."""

from __future__ import annotations

from typing import Any

import pytest

from flux.data.compiler import forbidden_row, is_refused
from flux.data.compiler.arrays import literals
from flux.data.policy.model import Caller, Grant
from flux.data.query.model import Auth, Compare, Literal, Target
from flux.data.types.codec import codec
from flux.failure import HostError
from tests.unit.data.compiler.tables import KEY, ONLY_KEY, planned, protected

REFUSE = "CAST('flux: a policy refuses this row' || left(random()::text, 0) AS integer)"
OWN = Compare(Target("org"), "eq", Auth(("tenant",)))


def write(operation: str, *, record: bool = False, **more: Any) -> str:
    return planned({"table": "users", "operation": operation, "returning": ["id"], **more}, record=record).text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"data": {"email": "a"}}, 'INSERT INTO "public"."users" AS t ("email") VALUES ($1) RETURNING '),
        (
            {"data": [{"email": "a", "period": "[1,2)"}, {"email": "b"}]},
            'INSERT INTO "public"."users" AS t ("email", "period") VALUES ($1, $2::text::int4range), ($3, DEFAULT) '
            "RETURNING ",
        ),
        (
            {"data": [{"email": "a", "tags": ["x"]}, {"email": "b", "tags": None}]},
            'INSERT INTO "public"."users" AS t ("email", "tags") SELECT v.c1, v.c2::text[] '
            "FROM unnest($1::text[], $2::text[]) AS v (c1, c2) RETURNING ",
        ),
    ],
)
def test_insert(query: dict[str, Any], expected: str) -> None:
    assert write("insert", **query) == f"{expected}{ONLY_KEY if type(query['data']) is dict else KEY} AS row"


@pytest.mark.parametrize(
    ("operation", "query", "command"),
    [
        ("insert", {"data": {"email": "a"}}, 'INSERT INTO "public"."users" AS t ("email") VALUES ($1)'),
        (
            "update",
            {"data": {"age": 1}, "where": {"id": 1}},
            'UPDATE "public"."users" AS t SET "age" = $1 WHERE t."id" = $2',
        ),
        ("delete", {"where": {"id": 1}}, 'DELETE FROM "public"."users" AS t WHERE t."id" = $1'),
    ],
)
def test_the_identity_is_set_first(operation: str, query: dict[str, Any], command: str) -> None:
    number = command.count("$") + 1
    value = ONLY_KEY if operation == "insert" else KEY
    assert write(operation, record=True, **query) == (
        f"WITH w AS ({command} RETURNING {value} AS row) "
        f"SELECT w.row FROM w WHERE (SELECT set_config('flux.identity', ${number}, true)) IS NOT NULL"
    )
    plan = planned({"table": "users", "operation": operation, "returning": ["id"], **query}, record=True)
    values = [1] * (number - 1) if operation != "insert" else ["a"]
    assert plan.parameters(values, Caller(), "me")[-1] == "me"
    assert plan.writes


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [
        (["email"], 'DO UPDATE SET "age" = EXCLUDED."age"'),
        ({"columns": ["email"], "update": ["email"]}, 'DO UPDATE SET "email" = EXCLUDED."email"'),
        ({"columns": ["email"], "update": "nothing"}, "DO NOTHING"),
    ],
)
def test_upsert(conflict: Any, expected: str) -> None:
    assert write("upsert", data={"email": "a", "age": 1}, on_conflict=conflict) == (
        'INSERT INTO "public"."users" AS t ("email", "age") VALUES ($1, $2) '
        f'ON CONFLICT ("email") {expected} RETURNING {ONLY_KEY} AS row'
    )


def test_upsert_of_nothing_but_the_key() -> None:
    assert 'DO UPDATE SET "email" = EXCLUDED."email" RETURNING' in write(
        "upsert", data={"email": "a"}, on_conflict=["email"]
    )


@pytest.mark.parametrize(
    ("conflict", "refused"),
    [
        (["email"], True),
        ({"columns": ["email"], "update": ["age"]}, True),
        ({"columns": ["email"], "update": ["org"]}, False),
        ({"columns": ["email"], "update": "nothing"}, False),
    ],
)
def test_a_row_that_exists_keeps_what_its_row_of_an_upsert_does_not_give(conflict: Any, refused: bool) -> None:
    rows = [{"email": "a", "org": "x", "age": 1}, {"email": "b", "org": "x"}]
    query = {"table": "users", "operation": "upsert", "data": rows, "on_conflict": conflict}
    if not refused:
        assert "DEFAULT" in planned(query).text
        return
    with pytest.raises(HostError, match=r'"data\[1\]" has no value for "age"') as caught:
        planned(query)
    assert (caught.value.code, caught.value.status) == ("MISSING_VALUE", 400)


def test_rows_are_checked_as_they_are_written() -> None:
    everything = {"select": Grant(), "insert": Grant(check=OWN), "update": Grant(where=OWN), "delete": Grant(where=OWN)}
    policies = protected(users=everything)  # type: ignore[arg-type]  # the keys are operations
    returning = {"table": "users", "returning": ["id"]}
    check = f'CASE WHEN t."org" = ${{}} THEN 1 ELSE {REFUSE} END AS checked'
    plan = planned({**returning, "operation": "insert", "data": {"email": "a"}}, policies)
    assert plan.text == (
        'WITH w AS (INSERT INTO "public"."users" AS t ("email") VALUES ($1) RETURNING '
        f"{ONLY_KEY} AS row, {check.format(2)}) SELECT w.row FROM w WHERE "
        # Asked ahead, too: a unique key that is taken must not tell of a row that may not be seen.
        f"(SELECT CASE WHEN (NULL)::text = $3 THEN true ELSE {REFUSE} = 0 END)"
    )
    assert plan.parameters(["a"], Caller(tenant="acme"), None) == ["a", "acme", "acme"]
    plan = planned({**returning, "operation": "update", "data": {"age": 1}, "where": {"id": 2}}, policies)
    assert plan.text == (
        'WITH w AS (UPDATE "public"."users" AS t SET "age" = $1 WHERE t."org" = $2 AND t."id" = $3 RETURNING '
        f"{KEY} AS row, {check.format(4)}) SELECT w.row FROM w"
    )
    plan = planned({**returning, "operation": "delete", "where": {"id": 2}}, policies)
    command = 'DELETE FROM "public"."users" AS t WHERE t."org" = $1 AND t."id" = $2'
    assert plan.text == f"{command} RETURNING {KEY} AS row"


def test_rows_that_the_caller_may_not_select_are_not_answered() -> None:
    policies = protected(users={"select": Grant(where=OWN), "insert": Grant()})
    plan = planned({"table": "users", "operation": "insert", "data": {"email": "a"}, "returning": ["id"]}, policies)
    assert plan.text == (
        'WITH w AS (INSERT INTO "public"."users" AS t ("email") VALUES ($1) RETURNING '
        f'{ONLY_KEY} AS row, t."org" = $2 AS visible) SELECT w.row FROM w WHERE w.visible'
    )
    assert plan.answer([]) == b"null"


def test_without_a_select_grant_nothing_is_answered() -> None:
    policies = protected(users={"insert": Grant(), "delete": Grant()})
    plan = planned({"table": "users", "operation": "insert", "data": [{"email": "a"}]}, policies)
    assert plan.text.startswith("INSERT INTO")
    assert plan.text.endswith("RETURNING 1 AS row")
    assert plan.answer([]) == b"[]"
    with pytest.raises(HostError) as caught:
        planned({"table": "users", "operation": "delete", "where": {"id": 1}}, policies)
    assert (caught.value.code, caught.value.status) == ("FORBIDDEN_COLUMN", 403)


def test_updates_touch_what_may_be_seen() -> None:
    old = Compare(Target("age"), "gt", Literal(60))
    policies = protected(users={"select": Grant(where=OWN), "update": Grant(where=old)})
    plan = planned({"table": "users", "operation": "update", "data": {"email": "x"}, "all": True}, policies)
    assert '("email")' not in plan.text
    assert 'WHERE t."age" > $2 AND t."org" = $3 RETURNING' in plan.text


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"operation": "insert", "data": {"age": 1}}, "MISSING_VALUE", 'needs values for: "email"'),
        ({"operation": "insert", "data": {"email": "a", "label": "x"}}, "INVALID_ARGUMENT", "generated"),
        ({"operation": "insert", "data": {"email": "a", "full_name": "x"}}, "INVALID_ARGUMENT", "computed"),
        ({"operation": "insert", "data": {"emial": "a"}}, "UNKNOWN_COLUMN", "email"),
        (
            {"operation": "upsert", "data": {"email": "a", "org": "x"}, "on_conflict": ["org"]},
            "INVALID_ARGUMENT",
            "email; id",
        ),
    ],
)
def test_mistakes(query: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(HostError) as caught:
        planned({"table": "users", **query})
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert words in str(caught.value)


def test_refusals_are_known_by_their_words() -> None:
    assert is_refused("22P02", 'invalid input syntax for type integer: "flux: a policy refuses this row"')
    assert not is_refused("22P02", 'invalid input syntax for type integer: "x"')
    assert not is_refused("P0001", "flux: a policy refuses this row")
    assert (forbidden_row().code, forbidden_row().status) == ("FORBIDDEN_ROW", 403)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int4", [1, None, [2]], '{"1",NULL,{"2"}}'),
        ("text", ['a"b\\', "", "NULL"], '{"a\\"b\\\\","","NULL"}'),
        ("bool", [True], '{"True"}'),
        ("bytea", ["AP8="], '{"\\\\x00ff"}'),
        ("timestamptz", ["infinity", "2026-01-01T00:00:00Z"], '{"infinity","2026-01-01T00:00:00+00:00"}'),
        ("date", ["-infinity", "2026-01-01"], '{"-infinity","2026-01-01"}'),
        ("jsonb", [{"a": "x"}], '{"{\\"a\\":\\"x\\"}"}'),
        ("float8", ["NaN", 1.5], '{"nan","1.5"}'),
    ],
)
def test_arrays_as_text(kind: str, value: list[Any], expected: str) -> None:
    assert literals(codec(kind, sql=kind, array=True).encode)(value) == expected
