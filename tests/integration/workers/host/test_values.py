"""Every kind of value through a real column: written, found again by it, and updated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux.failure import HostError
from tests.integration.workers.host.conftest import Call, Tables

CORPUS = json.loads(Path(__file__).with_name("values.json").read_text())

TYPES = """
    CREATE TYPE mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN positive AS integer CHECK (value > 0);
    CREATE DOMAIN positive_numeric AS numeric CHECK (value > 0);
    CREATE TYPE address AS (street text, number integer);
"""
# No = in Postgres.
INCOMPARABLE = ("json", "point", "circle")


@pytest.fixture
async def types(tables: Tables) -> None:
    await tables(TYPES)


@pytest.mark.usefixtures("types")
async def test_corpus(call: Call, tables: Tables) -> None:
    """One table, as making a database for each of the values would take long; each row names its own column."""
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(CORPUS))
    await tables(f"CREATE TABLE everything (id serial PRIMARY KEY, {columns})")
    for number, (kind, value, expected) in enumerate(CORPUS):
        name, label = f"c{number}", (kind, value)
        row = await call("db.insert", table="everything", data={name: value})
        assert row[name] == expected, label
        if kind not in INCOMPARABLE:
            found = await call("db.findOne", table="everything", where={name: {"eq": value}, "id": row["id"]})
            assert found is not None, label
            assert found[name] == expected, label
            if "[]" not in kind and kind != "tsvector":
                where = {name: {"in": [value, None]}, "id": row["id"]}
                assert await call("db.count", table="everything", where=where) == 1, label
        raw = await call("db.sql", text=f"SELECT {name}::{kind} AS v FROM everything WHERE id = $1", params=[row["id"]])
        if "range" not in kind and kind not in ("address", "char(3)"):
            assert raw == [{"v": expected}], label
        changed = await call("db.update", table="everything", where={"id": row["id"]}, data={name: None})
        assert changed[0][name] is None


@pytest.mark.usefixtures("types")
@pytest.mark.parametrize("array", [False, True])
async def test_insert_many(call: Call, tables: Tables, array: bool) -> None:
    """As lists, and, when one column is of an array type, as rows."""
    kinds = ["integer", "numeric", "mood", "jsonb", "timestamptz", "int4range", "bytea", "positive", "interval"]
    chosen = {kind: (value, expected) for kind, value, expected in reversed(CORPUS) if kind in kinds}
    more = ", extra integer[]" if array else ""
    columns = ", ".join(f'"{kind}" {kind}' for kind in kinds)
    await tables(f"CREATE TABLE everything (id serial PRIMARY KEY, {columns}{more})")
    data: list[dict[str, Any]] = [{kind: chosen[kind][0] for kind in kinds}, dict.fromkeys(kinds)]
    if array:
        data = [{**row, "extra": [1, None]} for row in data]
    rows = await call("db.insertMany", table="everything", data=data)
    assert [row["id"] for row in rows] == [1, 2]
    assert {kind: rows[0][kind] for kind in kinds} == {kind: chosen[kind][1] for kind in kinds}
    assert all(rows[1][kind] is None for kind in kinds)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 2**31),
        ("integer", "x"),
        ("smallint", 40000),
        ("text", "nul \x00"),
        ("jsonb", {"nul": "\x00"}),
        ("varchar(2)", "abc"),
        ("numeric(3,1)", "1000"),
        ("mood", "angry"),
        ("positive", -1),
        ("inet", "not an address"),
        ("interval", "soon"),
        ("int4range", "[5,1]"),
        ("integer[]", [[1], [1, 2]]),
        ("timestamptz", "10000-01-01"),
    ],
)
@pytest.mark.usefixtures("types")
async def test_values_that_do_not_fit(call: Call, tables: Tables, kind: str, value: Any) -> None:
    await tables(f"CREATE TABLE t (v {kind})")
    with pytest.raises(HostError) as caught:
        await call("db.insert", table="t", data={"v": value})
    assert caught.value.status in (400, 409)
    assert caught.value.code in ("INVALID_VALUE", "CHECK_VIOLATION")
    assert await call("db.count", table="t") == 0


async def test_values_that_python_cannot_hold(call: Call) -> None:
    with pytest.raises(HostError) as caught:
        await call("db.sql", text="SELECT '0044-03-15 BC'::timestamptz")
    assert caught.value.code == "INVALID_VALUE"
    assert await call("db.sql", text="SELECT ('0044-03-15 BC'::date)::text AS ides") == [{"ides": "0044-03-15 BC"}]


async def test_results_of_raw_sql(call: Call) -> None:
    rows = await call(
        "db.sql",
        text="""
            SELECT count(*) AS n, sum(v) AS total, avg(v) AS mean, array_agg(v) AS list,
                max(v)::bigint * 9007199254740993 AS big,
                jsonb_agg(v) AS j, int4range(1, 5) AS r, ROW(1, 'x') AS pair, 'x'::"char" AS c, now() - now() AS nothing
            FROM unnest($1::bigint[]) AS v WHERE v < $2
        """,
        params=[[1, "2", 3], 10.0],
    )
    assert rows == [
        {
            "n": 3,
            "total": "6",
            "mean": "2.0000000000000000",
            "list": [1, 2, 3],
            "big": "27021597764222979",
            "j": [1, 2, 3],
            "r": "[1,5)",
            "pair": [1, "x"],
            "c": "x",
            "nothing": "00:00:00",
        }
    ]
