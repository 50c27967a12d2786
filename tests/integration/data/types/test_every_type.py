"""Every type through a column's codec, as the engine uses it: JSON in, the same JSON out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from flux.data.schema.introspect import read_schema
from flux.data.types.codec import set_codecs
from flux.data.types.to_json import dumps
from flux.store.pool import Connection

# The corpus of the host calls: [type, given, answered].
CORPUS = Path(__file__).parents[2] / "workers" / "host" / "values.json"
MORE: list[list[Any]] = [
    ["numeric", "0.0000001", "0.0000001"],
    ["numeric", "1e10", "10000000000"],
    ["numeric", "Infinity", "Infinity"],
    ["money", 12.5, "$12.50"],
    ["nummultirange", "{[1.5,2.5)}", "{[1.5,2.5)}"],
    ["mood[]", ["happy", None], ["happy", None]],
    ["numeric[]", [["0.10", "2"], ["3", None]], [["0.10", "2"], ["3", None]]],
    ["int4range[]", ["[1,3)"], ["[1,3)"]],
    ["bytea[]", ["AP+A"], ["AP+A"]],
    ["jsonb[]", [{"a": [1]}, "x"], [{"a": [1]}, "x"]],
    ["positive[]", [1, 2], [1, 2]],
    ["tsquery", "'a' & 'b'", "'a' & 'b'"],
    ["pg_lsn", "16/B374D848", "16/B374D848"],
    ["macaddr8", "08:00:2b:ff:fe:01:02:03", "08:00:2b:ff:fe:01:02:03"],
    ["spot", '(1,"a b")', '(1,"a b")'],
    ["hstore", '"a"=>"1"', '"a"=>"1"'],
    ["citext", "Ada", "Ada"],
]
TYPES = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN positive_numeric AS numeric CHECK (VALUE > 0);
    CREATE TYPE spot AS (x int, label text);
"""


async def available(conn: Connection, extension: str) -> bool:
    found = await conn.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = $1", extension)
    return bool(found)


@pytest.fixture
async def conn(connection: Connection) -> Connection:
    await set_codecs(connection)
    await connection.execute(TYPES)
    for extension in ("citext", "hstore"):
        if await available(connection, extension):
            await connection.execute(f"CREATE EXTENSION {extension}")
    return connection


async def test_there_and_back(conn: Connection) -> None:
    found = {}
    for at, (type_, given, answered) in enumerate([*json.loads(CORPUS.read_text()), *MORE]):
        if await conn.fetchval("SELECT to_regtype($1)", type_.partition("(")[0].strip()) is None:
            continue  # the extension is not on this machine
        await conn.execute(f"CREATE TABLE t{at} (value {type_})")
        column = (await read_schema(conn)).tables[f"t{at}"].columns["value"]
        codec = column.codec
        text = "text[]" if codec.array else "text"
        place, shown = (f"$1::{text}::{codec.sql}", f"value::{text} AS value") if codec.cast else ("$1", "value")
        record = await conn.fetchrow(f"INSERT INTO t{at} VALUES ({place}) RETURNING {shown}", codec.encode(given))
        assert record is not None
        value = record["value"]
        found[f"{at} {type_} {given}"] = (
            orjson.loads(dumps(codec.decode(value) if codec.decode else value)),
            answered,
        )
    wrong = {what: pair for what, pair in found.items() if pair[0] != pair[1]}
    assert not wrong
    assert len(found) > 60


@pytest.mark.parametrize("type_", ["text", "mood"])
async def test_a_character_that_postgres_cannot_store(conn: Connection, type_: str) -> None:
    await conn.execute(f"CREATE TABLE t (value {type_})")
    codec = (await read_schema(conn)).tables["t"].columns["value"].codec
    with pytest.raises(ValueError, match=r"^expected"):
        codec.encode("a\0")
