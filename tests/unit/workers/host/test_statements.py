"""The texts of statements, and that no name gets into one unless the catalogue has it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.data.types.codec import codec
from flux.failure import HostError
from flux.workers.host import statements
from flux.workers.host.catalogue import Column, Table, assemble
from flux.workers.host.conditions import COMPARISONS
from flux.workers.host.statements import Plan, quoted


def column(name: str, kind: str, sql: str = "", *, array: bool = False) -> Column:
    return Column(name=name, codec=codec(kind, sql=sql or kind, array=array))


USERS = Table(
    schema="public",
    name="users",
    columns={
        entry.name: entry
        for entry in (
            column("id", "int8", "bigint"),
            column("email", "text"),
            column('odd "name', "text"),
            column("during", "tstzrange"),
            column("tags", "text", array=True),
        )
    },
    key=("id",),
)
RETURNED = 't."id", t."email", t."odd ""name", t."during"::text AS "during", t."tags"'


def test_select() -> None:
    plan = statements.select(
        USERS,
        ["id", "email"],
        (("email", "eq"), ("id", "in"), ("tags", "not_null")),
        (("id", "DESC"),),
        limit=True,
        offset=True,
    )
    assert plan.text == (
        'SELECT t."id", t."email" FROM "public"."users" AS t WHERE t."email" = $1 AND t."id" = ANY ($2) '
        'AND t."tags" IS NOT NULL ORDER BY t."id" DESC LIMIT $3::bigint OFFSET $4::bigint'
    )
    assert plan.parameters(["a", ["1", 2], 10, 0]) == ["a", [1, 2], 10, 0]


def test_select_one() -> None:
    plan = statements.select(USERS, None, (), (), limit=False, offset=False)
    assert plan.text == f'SELECT {RETURNED} FROM "public"."users" AS t LIMIT 1'


def test_null_among_the_values_of_in() -> None:
    plan = statements.count(USERS, (("id", "in_or_null"),))
    assert plan.text.endswith('WHERE (t."id" = ANY ($1) OR t."id" IS NULL)')


def test_types_without_a_codec_travel_as_text() -> None:
    plan = statements.update(USERS, ["during"], (("during", "eq"),))
    assert plan.text.startswith(
        'UPDATE "public"."users" AS t SET "during" = $1::text::tstzrange WHERE t."during" = $2::text::tstzrange'
    )


def test_insert() -> None:
    assert statements.insert(USERS, ["email", "tags"]).text == (
        f'INSERT INTO "public"."users" AS t ("email", "tags") VALUES ($1, $2) RETURNING {RETURNED}'
    )
    assert statements.insert(USERS, []).text == f'INSERT INTO "public"."users" AS t DEFAULT VALUES RETURNING {RETURNED}'


def test_upsert() -> None:
    plan = statements.insert(USERS, ["email", "id"], ["email"])
    assert 'ON CONFLICT ("email") DO UPDATE SET "id" = EXCLUDED."id" RETURNING' in plan.text
    plan = statements.insert(USERS, ["email"], ["email"])
    assert 'DO UPDATE SET "email" = EXCLUDED."email"' in plan.text


def test_insert_many() -> None:
    plan = statements.insert_lists(USERS, ["id", "during"])
    assert "unnest($1::bigint[], $2::text[]::tstzrange[])" in plan.text
    assert plan.parameters([["1", None], ["[1,2)", None]]) == [[1, None], ["[1,2)", None]]
    plan = statements.insert_rows(USERS, ["id", "email"], [frozenset(("id",)), frozenset(("email", "id"))])
    assert "VALUES ($1, DEFAULT), ($2, $3) RETURNING" in plan.text


def test_delete() -> None:
    plan = statements.delete(USERS, (("id", "lte"),))
    assert plan.text == f'DELETE FROM "public"."users" AS t WHERE t."id" <= $1 RETURNING {RETURNED}'


def test_a_value_that_does_not_fit_names_its_column() -> None:
    with pytest.raises(HostError) as caught:
        statements.count(USERS, (("id", "eq"),)).parameters(["x"])
    assert caught.value.code == "INVALID_VALUE"
    assert '"id"' in caught.value.message


BUILDERS: list[Callable[[str], Plan]] = [
    lambda name: statements.select(USERS, [name], (), (), limit=True, offset=False),
    lambda name: statements.select(USERS, None, ((name, "eq"),), (), limit=True, offset=False),
    lambda name: statements.select(USERS, None, (), ((name, "ASC"),), limit=True, offset=False),
    lambda name: statements.count(USERS, ((name, "null"),)),
    lambda name: statements.insert(USERS, [name]),
    lambda name: statements.insert(USERS, ["id"], [name]),
    lambda name: statements.insert_lists(USERS, [name]),
    lambda name: statements.insert_rows(USERS, [name], [frozenset((name,))]),
    lambda name: statements.update(USERS, [name], ()),
    lambda name: statements.delete(USERS, ((name, "gt"),)),
]


@pytest.mark.parametrize("build", BUILDERS)
@given(name=st.text())
def test_unknown_names_never_reach_a_text(build: Callable[[str], Plan], name: str) -> None:
    if name in USERS.columns:
        return
    with pytest.raises(HostError) as caught:
        build(name)
    assert (caught.value.code, caught.value.status) == ("UNKNOWN_COLUMN", 400)


@given(st.text())
def test_quoted_names_are_one_token(name: str) -> None:
    assert re.fullmatch(r'"(?:[^"]|"")*"', quoted(name), re.DOTALL)
    assert quoted(name)[1:-1].replace('""', '"') == name


@given(st.lists(st.tuples(st.sampled_from(["id", "email"]), st.sampled_from(sorted(COMPARISONS)))))
def test_the_text_depends_on_the_shape_alone(shape: list[tuple[str, str]]) -> None:
    first = statements.count(USERS, tuple(shape))
    assert first.text == statements.count(USERS, tuple(shape)).text
    assert len(first.encoders) == len(shape)
    assert all(f"${number}" in first.text for number in range(1, len(shape) + 1))


def test_nearest_name() -> None:
    with pytest.raises(HostError, match=r'no column "emial"\. Did you mean "email"\?'):
        USERS.column("emial")


def test_catalogue_rows() -> None:
    row = {"schema": "public", "table": "t", "enumeration": False, "built_in": True, "array": False}
    tables = assemble(
        [
            {**row, "column": "b", "type": "int4", "sql": "integer", "key_position": 2},
            {**row, "column": "a", "type": "int4", "sql": "integer", "key_position": 1},
            {**row, "column": "c", "type": "hstore", "sql": "hstore", "key_position": None, "built_in": False},
        ]
    )
    assert tables["t"].key == ("a", "b")
    assert tables["t"].columns["c"].codec.cast
