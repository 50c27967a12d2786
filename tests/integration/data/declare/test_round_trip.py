"""Push, read back, compare: nothing is left to do. Over random schemas, from nothing and from one to another."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux.data.declare import migration
from flux.data.declare.compare import compare
from flux.data.declare.document import read_documents
from flux.data.schema.introspect import read_schema
from flux.store.pool import Connection
from tests.fixtures.postgres import Server

Json = dict[str, Any]

LABELS = ("a", "b", "c", "d e", "it's")
# type -> defaults that fit it
TYPES: dict[str, list[Json]] = {
    "bigint": [{"value": 5}, {"sql": "1 + 1"}],
    "integer": [{"value": -1}],
    "smallint": [{"value": 0}],
    "text": [{"value": ""}, {"value": 'it\'s \\ "odd"'}, {"sql": "lower('A')"}],
    "varchar(20)": [{"value": "x"}],
    "varchar(40)": [],
    "numeric(10, 2)": [{"value": "1.50"}],
    "numeric": [],
    "boolean": [{"value": True}],
    "jsonb": [{"value": {"a": [1, None]}}, {"value": []}],
    "timestamptz": [{"sql": "now()"}, {"sql": "'2026-01-01'"}],
    "date": [{"sql": "current_date"}],
    "uuid": [{"sql": "gen_random_uuid()"}],
    "double precision": [{"value": 0.5}],
    "mood": [{"value": "a"}],
    "int4range": [],
}
NAMES = ("id", "name", "Order", "from", "größe", "c1", "a b")


@st.composite
def columns(draw: st.DrawFn) -> Json:
    key: Json = {"type": draw(st.sampled_from(("bigint", "uuid", "integer"))), "primaryKey": True}
    found: dict[str, Json] = {"key": key}
    if found["key"]["type"] != "uuid":
        identities: tuple[Json, ...] = ({}, {"identity": "always"}, {"identity": "by default"})
        found["key"] |= draw(st.sampled_from(identities))
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)):
        type_ = draw(st.sampled_from(sorted(TYPES)))
        column: Json = {"type": type_, "nullable": draw(st.booleans())}
        if type_ == "mood":
            column["enum"] = "mood"
        if len(TYPES[type_]) > 0 and draw(st.booleans()):
            column["default"] = draw(st.sampled_from(TYPES[type_]))
        elif type_ in ("text", "integer") and draw(st.booleans()):
            column["dimensions"] = 1
            lists: list[list[Any]] = [[], ["1", None], [["2"]]]
            column["default"] = {"value": draw(st.sampled_from(lists))}
        if type_ in ("text", "integer", "mood") and "dimensions" not in column:
            column["unique"] = draw(st.booleans())
        if draw(st.booleans()):
            column["comment"] = draw(st.sampled_from(("plain", "it's\n\\ odd")))
        found[name] = column
    if draw(st.booleans()):
        found["twice"] = {"type": "text", "nullable": True, "generated": {"sql": "key::text", "stored": True}}
    return found


@st.composite
def tables(draw: st.DrawFn, name: str) -> Json:
    found = draw(columns())
    plain = [each for each, column in found.items() if column["type"] in ("text", "integer", "bigint", "mood")]
    plain = [each for each in plain if not found[each].get("dimensions")]
    options: Json = {}
    if plain:
        column = draw(st.sampled_from(plain))
        quoted = f'"{column}"'
        options["indexes"] = draw(
            st.lists(
                st.sampled_from(
                    (
                        {"columns": [column]},
                        {"columns": [column], "unique": True},
                        {"columns": [{"sql": f"({quoted} IS NULL)"}]},
                        {"columns": [{"sql": f"{quoted} DESC NULLS LAST"}], "name": f"{name}_down"},
                        {"columns": [column], "where": f"{quoted} IS NOT NULL", "include": ["key"]},
                    )
                ),
                max_size=3,
                unique_by=repr,
            )
        )
        options["checks"] = draw(
            st.sampled_from(
                ({}, {"long": f"{quoted} IS NOT NULL"}, {"odd name": {"sql": f"{quoted}::text <> 'it''s'"}})
            )
        )
    if len(found) > 2 and draw(st.booleans()):
        options["unique"] = [[*found][:2]]
    if draw(st.booleans()):
        options["comment"] = "a table"
    return {"columns": found, "options": options}


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    names = draw(
        st.lists(st.sampled_from(("users", "posts", "Odd Name", "order")), unique=True, min_size=1, max_size=3)
    )
    labels = draw(st.lists(st.sampled_from(LABELS[1:]), unique=True, max_size=3))
    found = {name: draw(tables(name)) for name in names}
    for name in names:
        target = draw(st.sampled_from(names))
        if draw(st.booleans()):
            type_ = found[target]["columns"]["key"]["type"]
            found[name]["columns"]["other_id"] = {
                "type": type_,
                "nullable": True,
                "references": {
                    "table": target,
                    "column": "key",
                    "onDelete": draw(st.sampled_from(("cascade", "no action", "set null"))),
                    "deferred": draw(st.booleans()),
                },
            }
    return {"enums": {"mood": ["a", *labels]}, "tables": found}


async def push(conn: Connection, schema: Json) -> None:
    changes = await compare(conn, read_documents([("test", schema)]))
    if changes:
        async with conn.transaction():
            await conn.execute(migration.text(changes))


async def left(conn: Connection, schema: Json) -> list[str]:
    return [change.summary for change in await compare(conn, read_documents([("test", schema)]))]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=schemas(), second=schemas())
def test_nothing_is_left_to_do(postgres: Server, first: Json, second: Json) -> None:
    async def example() -> None:
        name = await postgres.create(migrated=False)
        try:
            conn = await asyncpg.connect(postgres.url(name))
            try:
                await push(conn, first)
                assert await left(conn, first) == []
                await push(conn, second)
                assert await left(conn, second) == []
                assert set((await read_schema(conn)).tables) == set(second["tables"])
                assert await conn.fetchval("SELECT to_regnamespace('flux_shadow')") is None
            finally:
                await conn.close()
        finally:
            await postgres.drop(name)

    asyncio.run(example())
