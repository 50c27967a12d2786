"""Every type of Postgres: what is answered can be written again and is found again, at every level; no operator, order,
group or measure of any type is more than the caller's mistake.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from flux.data.policy.model import NO_POLICIES, Caller
from flux.data.schema.introspect import read_schema
from flux.store.pool import Connection
from tests.fixtures.data.engine import CODES, Answer, Engine
from tests.fixtures.data.hunting import VARIABLE
from tests.fixtures.data.lines import Binary, prepare
from tests.fixtures.data.provoking import OPERATORS, PROVOCATIONS

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE lengths AS RANGE (subtype = float8);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN words AS text[];
CREATE DOMAIN label AS mood;
CREATE DOMAIN narrow AS varchar(3);
CREATE DOMAIN stay AS daterange;
CREATE DOMAIN twice AS label;
"""

# A type, and an expression of a value of it.
VALUES = {
    "smallint": "-1",
    "integer": "2147483647",
    "bigint": "9007199254740993",
    "numeric": "1.500",
    "numeric(20,5)": "12345678901234.5",
    "real": "1.1",
    "double precision": "'-0.5833333333333334'",
    "money": "12.34",
    "boolean": "true",
    "text": "E'a\\n\"\\\\\\u20ac'",
    "varchar(5)": "'abc'",
    "char(4)": "'ab'",
    '"char"': "'x'",
    "name": "'a name'",
    "uuid": "'6f1c1e7e-5b0a-4c8e-9d3b-0a1b2c3d4e5f'",
    "bytea": "'\\x00ff'",
    "timestamptz": "'2026-01-01 12:00:00.5+02'",
    "timestamptz(0)": "'infinity'",
    "timestamp": "'2026-01-01 12:00:00.000001'",
    "date": "'2026-02-28'",
    "time": "'12:30:00.25'",
    "timetz": "'12:30:00+02:30'",
    "interval": "'1 mon 2 days 03:00:00.5'",
    "json": '\'{"a": [1, null, "x"]}\'',
    "jsonb": '\'{"a": [1, null, "x"]}\'',
    "inet": "'10.0.0.1/8'",
    "cidr": "'10.0.0.0/8'",
    "macaddr": "'08:00:2b:01:02:03'",
    "macaddr8": "'08:00:2b:01:02:03:04:05'",
    "bit(3)": "B'101'",
    "varbit": "B'10'",
    "tsvector": "to_tsvector('simple', 'cat rat')",
    "tsquery": "'cat & rat'",
    "int4range": "'[1,5)'",
    "int8range": "'[1,)'",
    "numrange": "'(1.5,2.5]'",
    "tsrange": "'[2026-01-01 00:00:00,2026-01-02 00:00:00)'",
    "daterange": "'[2026-01-01,2026-02-01)'",
    "int4multirange": "'{[1,3),[5,7)}'",
    "lengths": "'[1,2.5)'",
    "mood": "'it''s \"ok\"'",
    "label": "'sad'",
    "positive": "7",
    "narrow": "'abc'",
    "words": "'{a,NULL}'",
    "stay": "'[2026-01-01,2026-02-01)'",
    "twice": "'sad'",
    "label[]": "'{sad}'",
    "pair": "ROW(1, 'x,\"y')",
    "point": "'(1,2)'",
    "line": "'{1,2,3}'",
    "lseg": "'[(1,2),(3,4)]'",
    "box": "'(3,4),(1,2)'",
    "path": "'((1,2),(3,4))'",
    "polygon": "'((1,2),(3,4))'",
    "circle": "'<(1,2),3>'",
    "oid": "4294967295",
    "regclass": "'pg_class'",
    "pg_lsn": "'16/B374D848'",
    "xid8": "'7'",
    "tid": "'(1,2)'",
    "int2vector": "'1 2'",
    "integer[]": "'{1,NULL,3}'",
    "integer[][]": "'{{1,2},{3,4}}'",
    "bigint[]": "'{9007199254740993,1}'",
    "numeric[]": "'{1.50,NaN}'",
    "double precision[]": "'{0.1,Infinity}'",
    "boolean[]": "'{t,f}'",
    "text[]": "ARRAY['a,b', '\"', '', 'NULL', NULL]",
    "bytea[]": "ARRAY['\\x00'::bytea]",
    "timestamptz[]": "ARRAY['2026-01-01 12:00:00.5+02'::timestamptz, 'infinity']",
    "date[]": "'{2026-01-01,NULL}'",
    "uuid[]": "'{6f1c1e7e-5b0a-4c8e-9d3b-0a1b2c3d4e5f}'",
    "jsonb[]": "ARRAY['{\"a\": 1}'::jsonb, '[1]'::jsonb]",
    "mood[]": "ARRAY['sad', 'it''s \"ok\"']::mood[]",
    "int4range[]": "ARRAY['[1,5)'::int4range]",
    "pair[]": "ARRAY[ROW(1, 'x')::pair]",
    "inet[]": "ARRAY['10.0.0.1'::inet]",
    "interval[]": "ARRAY['1 day'::interval]",
    "positive[]": "ARRAY[7]::positive[]",
    "time[][]": "'{{12:00,13:00:00.5}}'",
}
# Types whose values Postgres itself cannot compare for equality.
INCOMPARABLE = frozenset(("json", "point", "line", "path", "polygon", "box", "lseg", "circle", "pair", "tid"))
CALLER = Caller()
FEW = 10  # provocations per type, when not hunting


async def make(connection: Connection, type_name: str) -> Engine:
    await prepare(connection)
    await connection.execute(TYPES)
    await connection.execute(
        f"CREATE TABLE things (id integer PRIMARY KEY, c {type_name}, parent_id integer REFERENCES things);"
        f"INSERT INTO things VALUES (1, {VALUES[type_name]}, NULL), (2, NULL, 1)"
    )
    await connection.execute("SET intervalstyle = 'postgres'; BEGIN")
    return Engine(Binary(connection), await read_schema(connection), NO_POLICIES)


async def ask(engine: Engine, document: dict[str, Any]) -> Answer:
    answer = await engine.ask({"table": "things", **document}, CALLER, undo=True)
    assert not answer.code or answer.code in CODES, (answer.code, answer.message, document, answer.plan)
    return answer


async def value_of(engine: Engine, document: dict[str, Any]) -> Any:
    answer = await ask(engine, document)
    assert not answer.code, (answer.code, answer.message, document)
    return answer.value


@pytest.mark.parametrize("type_name", VALUES)
async def test_values_travel_both_ways_and_nothing_is_a_fault(connection: Connection, type_name: str) -> None:
    engine = await make(connection, type_name)
    [first, second] = await value_of(engine, {"columns": ["c"], "order_by": "id"})
    value = first["c"]
    assert value is not None
    assert second == {"c": None}

    nested = await value_of(
        engine, {"select": {"parent": {"columns": ["c"]}, "things": {"columns": ["c"]}}, "order_by": "id"}
    )
    assert nested == [{"parent": None, "things": [{"c": None}]}, {"parent": {"c": value}, "things": []}]

    inserted = await value_of(engine, {"operation": "insert", "data": {"id": 3, "c": value}})
    assert inserted["c"] == value
    several = [{"id": 4, "c": value}, {"id": 5, "c": None}]
    assert [row["c"] for row in await value_of(engine, {"operation": "insert", "data": several})] == [value, None]
    mixed = [{"id": 4, "c": value}, {"id": 5}]
    assert [row["c"] for row in await value_of(engine, {"operation": "insert", "data": mixed})] == [value, None]
    updated = await value_of(engine, {"operation": "update", "data": {"c": value}, "all": True, "returning": ["c"]})
    assert updated == [{"c": value}, {"c": value}]
    upserted = {"operation": "upsert", "data": {"id": 2, "c": value}, "on_conflict": ["id"], "returning": ["c"]}
    assert await value_of(engine, upserted) == {"c": value}

    if type_name.removesuffix("[]") not in INCOMPARABLE:
        assert await value_of(engine, {"columns": ["id"], "where": {"c": {"eq": value}}}) == [{"id": 1}]
        assert await value_of(engine, {"columns": ["id"], "where": {"c": {"is_distinct": value}}}) == [{"id": 2}]
        assert await value_of(engine, {"operation": "count", "where": {"not": {"c": {"neq": value}}}}) == 1
    await everything(engine, value)


async def everything(engine: Engine, value: Any) -> None:
    """Whatever can be asked of a column; `ask` looks at the codes."""
    for operator in OPERATORS:
        for operand in (
            value,
            [value],
            [value, value],
            {"any": [value]},
            {"all": [value, None]},
            {"query": "x", "config": "x"},
        ):
            await ask(engine, {"where": {"c": {operator: operand}}})
    for operand in PROVOCATIONS if VARIABLE in os.environ else Random(4).sample(PROVOCATIONS, FEW):
        for operator in ("eq", "gt", "in", "between", "contains", "overlaps", "like", "match", "fts"):
            await ask(engine, {"operation": "count", "where": {"c": {operator: operand}}})
        await ask(engine, {"operation": "count", "where": {"c": {"in": [operand]}}})
        await ask(engine, {"operation": "insert", "data": {"id": 9, "c": operand}})
        await ask(engine, {"operation": "insert", "data": [{"id": 9, "c": operand}, {"id": 10, "c": operand}]})
        await ask(engine, {"columns": ["id"], "order_by": "c", "after": {"c": operand, "id": 1}})
    for path in ("c->a", "c->>a", "c->0", "c->a->>0"):
        await ask(engine, {"select": {"x": path}, "where": {path: {"eq": "x"}}, "order_by": path})
    await ask(engine, {"order_by": {"c": {"direction": "desc", "nulls": "last"}}, "distinct": ["c"]})
    await ask(engine, {"columns": ["c"], "distinct": True, "order_by": "c"})
    for function in ("count", "sum", "avg", "min", "max"):
        for distinct in (True, False):
            measure = {"m": {function: "c", "distinct": distinct}}
            await ask(
                engine, {"operation": "aggregate", "aggregates": measure, "group_by": ["c"], "order_by": ["m", "c"]}
            )
            await ask(engine, {"operation": "aggregate", "aggregates": measure, "having": {"m": {"gt": value}}})
            await ask(engine, {"operation": "aggregate", "aggregates": measure, "having": {"m": {"in": [value]}}})
