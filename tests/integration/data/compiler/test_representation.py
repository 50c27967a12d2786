"""Values look the same whoever writes them: Postgres as JSON text, nested or not, or asyncpg, the codecs and orjson."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import orjson

from flux.data.types.to_json import dumps, row
from tests.integration.data.compiler.conftest import Database

CORPUS: list[tuple[str, Any, Any]] = json.loads(
    (Path(__file__).parents[2] / "workers" / "host" / "values.json").read_text()
)
# As SQL, since not all of them can be written as JSON.
MORE = [
    ("bigint[]", "'{{9007199254740993,1},{NULL,-9007199254740992}}'"),
    ("bigint[]", "'{}'"),
    ("bigint[]", "'[0:1][2:4]={{1,2,3},{4,5,6}}'"),
    ("timestamptz[]", "'{{{2026-01-01 00:00:00.5+00,infinity},{NULL,-infinity}}}'"),
    ("timestamptz[]", "'{NULL}'"),
    ("timestamp[]", "'{2026-01-01 10:00:00.000010}'"),
    ("time[]", "'{10:00:00,10:00:00.5}'"),
    ("timetz[]", "'{{10:00:00+02},{10:00:00.5-03:30}}'"),
    ("bytea[]", r"""'{{"\\x00ff","\\x"},{NULL,"\\x41"}}'"""),
    ("numeric[]", "'{{0.10,NaN},{Infinity,-0.0000000001}}'"),
    ("oid[]", "'{1,4294967295}'"),
    ("date[]", "'{2026-01-01,infinity}'"),
    ("money[]", "'{$1.50}'"),
    ("real[]", "'{{1.1,NaN},{3.4028235e38,-Infinity}}'"),
    ("jsonb[]", """ARRAY[['{"a": [1]}', 'null'], ['[2]', '"x"']]::jsonb[]"""),
    ("address[]", "ARRAY[ROW('Main', 5)::address, NULL]"),
    ("int4range[]", "'{empty,\"[1,2)\"}'"),
    ("int4multirange[]", "'{\"{[1,2),[5,6)}\"}'"),
    ("mood[]", "'{{happy},{sad}}'"),
    ("inet[]", "'{10.0.0.1,10.0.0.0/8}'"),
    ("uuid[]", "'{{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}}'"),
    ("boolean[]", "'{t,f,NULL}'"),
    ("bigint", "'-9007199254740991'"),
    ("bigint", "'-9007199254740992'"),
    ("bigint", "'-9223372036854775808'"),
    ("numeric", "'0.0000001'"),
    ("numeric", "'1e20'"),
    ("numeric", "'-Infinity'"),
    ("numeric(6,3)", "'1.5'"),
    ("real", "'1e-45'"),
    ("real", "'16777216'"),
    ("real", "'-0'"),
    ("double precision", "'5e-324'"),
    ("double precision", "'1.7976931348623157e308'"),
    ("double precision", "'123456789012345680'"),
    ("double precision", "'-Infinity'"),
    ("timestamptz", "'2026-11-22 10:25:00.1+00'"),
    ("timestamptz", "'2026-11-22 10:25:00.000001+00'"),
    ("timestamptz", "'2026-11-22 10:25:59.999999-11:30'"),
    ("timestamptz", "'0002-01-01 00:00:00+00'"),
    ("timestamptz", "'9998-12-31 23:59:59.5+00'"),
    ("timestamp", "'2026-11-22 10:25:00.120000'"),
    ("timestamp", "'-infinity'"),
    ("date", "'0001-02-03'"),
    ("date", "'infinity'"),
    ("time", "'23:59:59.999999'"),
    ("time", "'00:00:00'"),
    ("timetz", "'10:25:00.5-11'"),
    ("timetz", "'10:25:00+05:45'"),
    ("bytea", "decode(repeat('0123456789abcdef', 20), 'hex')"),
    ("text", "E'\\x01\\x1f\\t\\n\\r\\b\\f\\x7f \"\\\\/ <>&'' é 😀'"),
    ("text", "'null'"),
    ("char(3)", "'a'"),
    ('"char"', "'a'"),
    ("citextish", "'x'"),
    ("jsonb", "'null'"),
    ("jsonb", "'\"x\"'"),
    ("jsonb", "'1e300'"),
    ("json", '\' {"a" : 1,\n "a": 2} \''),
    ("interval", "'1 year -2 days 03:04:05.6'"),
    ("inet", "'::ffff:1.2.3.4/96'"),
    ("tstzrange", "'[2026-01-01,2026-01-02)'"),
    ("oid", "'4294967295'"),
    ("xid", "'7'"),
    ("box", "'(1,1),(0,0)'"),
    ("uuid", "NULL"),
    ("bigint", "NULL"),
    ("timestamptz", "NULL"),
    ("timetz", "NULL"),
    ("bytea", "NULL"),
    ("bigint[]", "NULL"),
]

TYPES = """
    CREATE TYPE mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN positive AS integer CHECK (value > 0);
    CREATE DOMAIN positive_numeric AS numeric CHECK (value > 0);
    CREATE DOMAIN citextish AS text;
    CREATE TYPE address AS (street text, number integer);
    CREATE TABLE parents (id integer PRIMARY KEY);
    INSERT INTO parents VALUES (1);
"""


async def decoded(database: Database, table: str, where: str = "") -> list[dict[str, Any]]:
    """The rows as the codecs of `flux.data.types` write them."""
    columns = database.schema.table(table).columns.values()
    listed = ", ".join(
        f'"{each.name}"' + (("::text[]" if each.codec.array else "::text") if each.codec.cast else "")
        for each in columns
    )
    records = await database.connection.fetch(f'SELECT {listed} FROM "{table}" {where} ORDER BY "id"')
    decoders = [(each.name, each.codec.decode) for each in columns if each.codec.decode is not None]
    found: list[dict[str, Any]] = orjson.loads(dumps([row(record, decoders) for record in records]))
    return found


async def test_every_type(database: Database) -> None:
    """Values of the corpus are written by the engine, the others by SQL; then all are read in three ways."""
    kinds = [kind for kind, _, _ in CORPUS] + [kind for kind, _ in MORE]
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    await database.define(
        f"{TYPES} CREATE TABLE everything "
        f"(id serial PRIMARY KEY, parent_id integer UNIQUE REFERENCES parents, {columns});"
    )
    given = {f"c{number}": value for number, (_, value, _) in enumerate(CORPUS)}
    await database.ask({"table": "everything", "operation": "insert", "data": {"parent_id": 1, **given}})
    for number, (kind, sql) in enumerate(MORE, len(CORPUS)):
        await database.connection.execute(f"UPDATE everything SET c{number} = {sql}::{kind}")

    top = await database.ask({"table": "everything", "one": True})
    for number, (kind, _, expected) in enumerate(CORPUS):
        assert top[f"c{number}"] == expected, kind
    assert top == (await decoded(database, "everything"))[0]
    one = await database.ask({"table": "parents", "one": True, "select": {"everything": {}}})
    await database.define("ALTER TABLE everything DROP CONSTRAINT everything_parent_id_key")
    many = await database.ask({"table": "parents", "one": True, "select": {"everything": {}}})
    assert [*top] == [*one["everything"]]
    for number, kind in enumerate(kinds):
        name = f"c{number}"
        assert one["everything"][name] == top[name], (kind, name)
        assert many["everything"][0][name] == top[name], (kind, name)


async def test_instants_that_python_does_not_have(database: Database) -> None:
    """Whatever the session is set to, Postgres must understand what it has written."""
    await database.define("CREATE TABLE instants (id serial PRIMARY KEY, at timestamptz, wall timestamp)")
    await database.connection.execute("SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'")
    for at, wall, shown in (
        ("infinity", "infinity", "infinity"),
        ("-infinity", "-infinity", "-infinity"),
        ("294276-12-31 23:59:59.999999+00", "294276-12-31 23:59:59.999999", "294276-12-31T23:59:59.999999"),
        ("10000-01-01 00:00:00+00", "10000-01-01 00:00:00", "10000-01-01T00:00:00"),
        ("0001-01-01 00:00:00+00", "0001-01-01 00:00:00", "0001-01-01T00:00:00"),
        ("0001-12-31 23:59:59.25+00 BC", "0001-12-31 23:59:59.25 BC", "0001-12-31T23:59:59.25 BC"),
        ("4713-11-24 00:00:00+00 BC", "4713-11-24 00:00:00 BC", "4713-11-24T00:00:00 BC"),
    ):
        written = "INSERT INTO instants (at, wall) VALUES ($1::text::timestamptz, $2::text::timestamp) RETURNING id"
        number = await database.connection.fetchval(written, at, wall)
        found = await database.ask({"table": "instants", "where": {"id": number}, "one": True})
        assert found == {"id": number, "at": shown + "Z" if shown[-1].isdigit() else shown, "wall": shown}
        read = "SELECT ($1::text || $2)::timestamptz = at FROM instants WHERE id = $3"
        assert await database.connection.fetchval(read, found["at"], "+00" if "BC" in shown else "", number)


async def test_tables_with_more_columns_than_a_function_has_arguments(database: Database) -> None:
    columns = ", ".join(f"c{number} integer DEFAULT {number}" for number in range(260))
    await database.define(f"CREATE TABLE wide (id integer PRIMARY KEY, {columns})")
    row = {"id": 1, **{f"c{number}": number for number in range(260)}}
    assert await database.ask({"table": "wide", "operation": "insert", "data": {"id": 1}}) == row
    assert await database.ask({"table": "wide", "one": True}) == row
    assert await database.ask({"table": "wide"}) == [row]


async def test_json_stays_as_it_is(database: Database) -> None:
    await database.define("""
        CREATE TABLE parents (id integer PRIMARY KEY);
        CREATE TABLE notes (id integer PRIMARY KEY, parent_id integer REFERENCES parents, content json);
        INSERT INTO parents VALUES (1);
        INSERT INTO notes VALUES (1, 1, '{"b": 1.10,  "a":[ ], "b": 12345678901234567890}');
    """)
    written = b'{"b": 1.10,  "a":[ ], "b": 12345678901234567890}'
    assert written in await database.text({"table": "notes"})
    assert written in await database.text({"table": "parents", "select": {"notes": {"columns": ["content"]}}})


async def test_singles(database: Database) -> None:
    """The shortest decimals of random floats are the same from Python and from Postgres."""
    await database.define("""
        CREATE TABLE parents (id integer PRIMARY KEY);
        CREATE TABLE singles (id serial PRIMARY KEY, parent_id integer DEFAULT 1 REFERENCES parents, v real);
        INSERT INTO parents VALUES (1);
    """)
    source = random.Random(20261122)
    bits = [source.getrandbits(32) for _ in range(2000)] + list(range(40)) + [0x4C000004, 0x50061C46, 0x510006A8]
    values = [struct.unpack("f", struct.pack("I", each))[0] for each in bits]
    await database.connection.executemany("INSERT INTO singles (v) VALUES ($1)", [(value,) for value in values])
    query = {"columns": ["v"], "order_by": "id", "limit": 5000}
    top = await database.ask({"table": "singles", **query})
    nested = await database.ask({"table": "parents", "one": True, "select": {"singles": query}})
    assert nested["singles"] == top
    assert top == [{"v": each["v"]} for each in await decoded(database, "singles")]


async def test_aliases_are_keys_whatever_they_are(database: Database) -> None:
    await database.define("""
        CREATE TABLE parents (id integer PRIMARY KEY, "we""ird \\ name" text);
        CREATE TABLE notes (id integer PRIMARY KEY, parent_id integer REFERENCES parents, "it's \\ ""q""s" text);
        INSERT INTO parents VALUES (1, 'x');
        INSERT INTO notes VALUES (1, 1, 'y');
    """)
    strange = ["'; DROP TABLE notes; --", '"', "\\", "a\nb", "$1", "é" * 70, "id"]
    fields = dict.fromkeys(strange, "id")
    assert await database.ask({"table": "notes", "select": fields}) == [dict.fromkeys(strange, 1)]
    nested = await database.ask(
        {"table": "parents", "select": {"our 'notes'": {"relation": "notes", "select": fields}}}
    )
    assert nested == [{"our 'notes'": [dict.fromkeys(strange, 1)]}]
    whole = await database.ask({"table": "parents", "select": {'we"ird \\ name': True, "notes": {}}})
    assert whole == [{'we"ird \\ name': "x", "notes": [{"id": 1, "parent_id": 1, 'it\'s \\ "q"s': "y"}]}]
    await database.connection.execute("SET standard_conforming_strings = off; SET escape_string_warning = off")
    assert await database.ask({"table": "parents", "select": {'we"ird \\ name': True, "notes": {}}}) == whole
