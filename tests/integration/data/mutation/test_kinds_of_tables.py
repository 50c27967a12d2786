"""Tables that are not the usual kind: partitions, inheritance, triggers of the team's, odd names and types."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from flux.store.mutations.install import install
from flux.store.pool import Connection

from .conftest import told, written

PARTITIONED = """
CREATE TABLE events (id int, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE events_new (what text, day date NOT NULL, gone int, id int NOT NULL);
ALTER TABLE events_new DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_new FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
"""


async def test_partitions(tables: Connection) -> None:
    await tables.execute(PARTITIONED)
    await tables.execute("INSERT INTO events VALUES (1, '2025-05-05', 'a'), (2, '2026-05-05', 'b')")
    await tables.execute("INSERT INTO events_new (id, day, what) VALUES (3, '2026-06-06', 'c')")
    await tables.execute("UPDATE events SET what = what || '!'")
    await tables.execute("UPDATE events_old SET what = 'x'; DELETE FROM events_new WHERE id = 2")
    found = await written(tables)
    assert {each["table"] for each in found} == {"events"}
    assert told(found) == [
        ("insert", [1, "2025-05-05"], None),
        ("insert", [2, "2026-05-05"], None),
        ("insert", [3, "2026-06-06"], None),
        ("update", [1, "2025-05-05"], ["what"]),
        ("update", [2, "2026-05-05"], ["what"]),
        ("update", [3, "2026-06-06"], ["what"]),
        ("update", [1, "2025-05-05"], ["what"]),
        ("delete", [2, "2026-05-05"], None),
    ]


async def test_a_row_that_moves_to_another_partition(tables: Connection) -> None:
    await tables.execute("CREATE TABLE moves (id int, place text) PARTITION BY LIST (place)")
    await tables.execute("CREATE TABLE moves_a PARTITION OF moves FOR VALUES IN ('a')")
    await tables.execute("CREATE TABLE moves_b PARTITION OF moves FOR VALUES IN ('b')")
    await tables.execute("INSERT INTO moves SELECT i, 'a' FROM generate_series(1, 3) i")
    await tables.execute("UPDATE moves SET place = 'b' WHERE id > 1")
    found = await written(tables)
    assert [(each["operation"], each["old"], each["new"]) for each in found[3:]] == [
        ("update", {"id": n, "place": "a"}, {"id": n, "place": "b"}) for n in (2, 3)
    ]


async def test_a_move_that_a_trigger_refuses(tables: Connection) -> None:
    await tables.execute(
        """
        CREATE TABLE moves (id int, place text, PRIMARY KEY (id, place)) PARTITION BY LIST (place);
        CREATE TABLE moves_a PARTITION OF moves FOR VALUES IN ('a');
        CREATE TABLE moves_b PARTITION OF moves FOR VALUES IN ('b');
        CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RETURN CASE WHEN NEW.id <> 2 THEN NEW END; END $$;
        CREATE TRIGGER no BEFORE INSERT ON moves_b FOR EACH ROW EXECUTE FUNCTION no();
        INSERT INTO moves SELECT i, 'a' FROM generate_series(1, 3) i;
        """
    )
    await written(tables)
    await tables.execute("UPDATE moves SET place = 'b'")
    found = await written(tables)
    assert sorted(told(found), key=str) == [
        ("delete", [1, "a"], None),
        ("delete", [2, "a"], None),
        ("delete", [3, "a"], None),
        ("insert", [1, "b"], None),
        ("insert", [3, "b"], None),
    ]


async def test_attached_and_detached(tables: Connection) -> None:
    await tables.execute(PARTITIONED)
    await tables.execute("ALTER TABLE events DETACH PARTITION events_old")
    await tables.execute("INSERT INTO events_old VALUES (1, '2025-05-05', 'a')")
    await tables.execute("ALTER TABLE events ATTACH PARTITION events_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01')")
    await tables.execute("UPDATE events_old SET what = 'b'")
    assert [each["table"] for each in await written(tables)] == ["events_old", "events"]


async def test_inheritance(tables: Connection) -> None:
    await tables.execute(
        "CREATE TABLE cities (name text PRIMARY KEY); "
        "CREATE TABLE capitals (state text, PRIMARY KEY (name)) INHERITS (cities) "
    )
    await tables.execute("INSERT INTO cities VALUES ('a'); INSERT INTO capitals VALUES ('b', 'BB')")
    await tables.execute("UPDATE cities SET name = name || '!'")
    found = await written(tables)
    assert [(each["table"], each["operation"], each["new"]) for each in found[:2]] == [
        ("cities", "insert", {"name": "a"}),
        ("capitals", "insert", {"name": "b", "state": "BB"}),
    ]
    assert {"name": "b!", "state": "BB"} in [each["new"] for each in found if each["table"] == "capitals"]


async def test_triggers_that_change_the_row_again(tables: Connection) -> None:
    """The order must be that of the changes, though the inner statement ends first."""
    await tables.execute(
        """
        CREATE TABLE audit (what text);
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit VALUES (TG_OP);
            IF TG_OP = 'INSERT' THEN UPDATE users SET plan = NEW.email WHERE id = NEW.id; END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER "0 first" AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp();
        """
    )
    await written(tables)
    await tables.execute("INSERT INTO users (email) VALUES ('a'), ('b')")
    found = [each for each in await written(tables) if each["table"] == "users"]
    assert told(found) == [
        ("insert", [1], None),
        ("update", [1], ["plan"]),
        ("insert", [2], None),
        ("update", [2], ["plan"]),
    ]
    assert [each["new"]["plan"] for each in found] == ["free", "a", "free", "b"]
    await tables.execute('DROP TRIGGER "0 first" ON users')
    await install(tables)
    await written(tables)
    await tables.execute("UPDATE users SET plan = 'z'; DELETE FROM users WHERE id = 1; TRUNCATE users")
    assert [each["operation"] for each in await written(tables)] == ["update", "update", "delete", "truncate"]


async def test_statement_triggers_and_before_triggers(tables: Connection) -> None:
    await tables.execute(
        """
        CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            UPDATE users SET plan = 'after' WHERE plan <> 'after'; RETURN NULL;
        END $$;
        CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.email = upper(NEW.email); RETURN CASE WHEN NEW.email <> 'NO' THEN NEW END;
        END $$;
        CREATE TRIGGER again AFTER INSERT ON users EXECUTE FUNCTION again();
        CREATE TRIGGER before BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION before();
        """
    )
    await written(tables)
    await tables.execute("INSERT INTO users (email) VALUES ('a'), ('no')")
    found = await written(tables)
    assert [(each["operation"], each["new"]["email"], each["new"]["plan"]) for each in found] == [
        ("insert", "A", "free"),
        ("update", "A", "after"),
    ]


async def test_odd_names(tables: Connection) -> None:
    await tables.execute(
        """
        CREATE TABLE "Odd ""Table's" (
            "id$1" int, "o" text, n text, "who" text, "moment" text, "select" text, "ä ö""ü" text, "{}%s\\" text,
            setting text, salt text, row text, key text, "old_rows" text, new text, x text, d text, "changed" text,
            PRIMARY KEY ("select", "id$1")
        )
        """
    )
    columns = [f"v{n}" for n in range(16)]
    await tables.execute(
        'INSERT INTO "Odd ""Table\'s" VALUES (1, ' + ", ".join(f"'{value}'" for value in columns) + ")"
    )
    await tables.execute('UPDATE "Odd ""Table\'s" SET "ä ö""ü" = \'new\', who = \'me\', "select" = \'k\'')
    await tables.execute('UPDATE "Odd ""Table\'s" SET "{}%s\\" = \'z\', moment = \'m\'')
    await tables.execute('DELETE FROM "Odd ""Table\'s"')
    found = await written(tables)
    assert told(found) == [
        ("insert", ["v4", 1], None),
        ("delete", ["v4", 1], ["who", "select", 'ä ö"ü']),
        ("insert", ["k", 1], ["who", "select", 'ä ö"ü']),
        ("update", ["k", 1], ["moment", "{}%s\\"]),
        ("delete", ["k", 1], None),
    ]
    assert found[3]["new"]["{}%s\\"] == "z"


async def test_tables_of_the_same_name(tables: Connection) -> None:
    await tables.execute("CREATE SCHEMA other; CREATE TABLE other.users (id int PRIMARY KEY)")
    await tables.execute("SET search_path = public, other")
    assert (await install(tables)).problems == {}
    await tables.execute("INSERT INTO other.users VALUES (1); INSERT INTO public.users (email) VALUES ('a')")
    schemas = await tables.fetch(
        "SELECT t.schema FROM flux.mutations m JOIN flux.managed_tables t ON t.id = m.table_id "
        "WHERE operation = 'insert' ORDER BY m.id"
    )
    assert [row["schema"] for row in schemas] == ["other", "public"]


async def test_generated_and_dropped_columns(tables: Connection) -> None:
    await tables.execute(
        "CREATE TABLE boxes (gone int, a int, area int GENERATED ALWAYS AS (a * a) STORED, "
        "id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY); ALTER TABLE boxes DROP COLUMN gone"
    )
    await tables.execute("INSERT INTO boxes (a) VALUES (3); UPDATE boxes SET a = 4")
    found = await written(tables)
    assert found[0]["new"] == {"a": 3, "area": 9, "id": 1}
    assert found[1]["changed"] == ["a", "area"]


@pytest.mark.parametrize("by_row", [False, True])
async def test_virtual_columns(tables: Connection, by_row: bool) -> None:
    """Triggers are not given them; and they follow from the others."""
    if tables.get_server_version().major < 18:
        pytest.skip("Postgres has virtual columns from 18 on")
    await tables.execute("CREATE TABLE boxes (id int PRIMARY KEY, a int, area int GENERATED ALWAYS AS (a * a) VIRTUAL)")
    if by_row:
        await tables.execute(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
            "CREATE TRIGGER nothing AFTER UPDATE ON boxes FOR EACH ROW EXECUTE FUNCTION nothing()"
        )
    await tables.execute("INSERT INTO boxes VALUES (1, 1), (2, 2); UPDATE boxes SET a = 9 WHERE id = 1")
    await tables.execute("UPDATE boxes SET a = a + 1; DELETE FROM boxes WHERE id = 1")
    found = await written(tables)
    assert told(found) == [
        *(("insert", [n], None) for n in (1, 2)),
        *(("update", [n], ["a"]) for n in (1, 2, 1)),
        ("delete", [1], None),
    ]
    assert found[-1]["old"] == {"id": 1, "a": 10}


async def test_a_column_that_becomes_virtual(guarded: Connection) -> None:
    if guarded.get_server_version().major < 18:
        pytest.skip("Postgres has virtual columns from 18 on")
    await guarded.execute("ALTER TABLE users DROP plan, ADD plan text GENERATED ALWAYS AS (email) VIRTUAL")
    await guarded.execute("INSERT INTO users (email) VALUES ('a'); UPDATE users SET email = 'b'")
    await install(guarded)
    await guarded.execute("UPDATE users SET email = 'c'")
    assert told(await written(guarded)) == [
        ("insert", [1], None),
        ("update", [1], ["email"]),
        ("update", [1], ["email"]),
    ]


async def test_a_table_without_columns(tables: Connection) -> None:
    await tables.execute("CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES")
    await tables.execute("ALTER TABLE nothing ADD a int; UPDATE nothing SET a = 1")
    assert [(each["old"], each["new"]) for each in await written(tables)] == [(None, {}), ({"a": None}, {"a": 1})]


TYPES: dict[str, tuple[str, Any]] = {
    "bigint": ("9223372036854775807", 9223372036854775807),
    "numeric": ("'-Infinity'", "-Infinity"),
    "double precision": ("'NaN'", "NaN"),
    "real": ("0.1", 0.1),
    "timestamptz": ("'infinity'", "infinity"),
    "timestamp": ("'0044-03-15 12:00:00.5 BC'", "0044-03-15T12:00:00.5 BC"),
    "date": ("'2026-02-01'", "2026-02-01"),
    "interval": ("'1 mon -2 days 03:00:00.5'", "1 mon -2 days +03:00:00.5"),
    "bytea": ("'\\x00ff'", "\\x00ff"),
    "text[]": ("'{a,NULL,\"b,c\"}'", ["a", None, "b,c"]),
    "int[]": ("'{{1,2},{3,4}}'", [[1, 2], [3, 4]]),
    "json": ('\'{"b": 1,  "a": 1.50}\'', {"b": 1, "a": 1.5}),
    "jsonb": ("'null'", {"$json": None}),
    "jsonb[]": ("ARRAY['[1]', 'null', NULL]::jsonb[]", '{[1],"null",NULL}'),
    "json[]": ("ARRAY['[1]', '[2]']::json[]", "{[1],[2]}"),
    "uuid": ("'7d6c2c5e-3f43-4a52-8f0b-000000000001'", "7d6c2c5e-3f43-4a52-8f0b-000000000001"),
    "tstzrange": ("'[2026-02-01 00:00+00,infinity)'", '["2026-02-01 00:00:00+00",infinity)'),
    "point": ("'(1.1,2)'", "(1.1,2)"),
    "inet": ("'::1/64'", "::1/64"),
    "tsvector": ("'a:1 b:2'", "'a':1 'b':2"),
    "bit(3)": ("B'101'", "101"),
    "money": ("'1234.50'", "$1,234.50"),
    "pair": ("ROW(1, 'a,b')", '(1,"a,b")'),
    "mood": ("'fine'", "fine"),
    "positive": ("7", 7),
}


@pytest.mark.parametrize("kind", TYPES)
async def test_values_survive(tables: Connection, kind: str) -> None:
    """Written under settings that make other text of them, and made into a row again."""
    literal, expected = TYPES[kind]
    await tables.execute(
        "CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('fine'); "
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0) "
    )
    await tables.execute(f"CREATE TABLE things (id int PRIMARY KEY, v {kind}); CREATE TABLE back (LIKE things)")
    await tables.execute(
        "SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'; "
        "SET extra_float_digits = -5"
    )
    await tables.execute(f"INSERT INTO things VALUES (1, {literal}), (2, NULL)")
    await tables.execute("UPDATE things SET v = NULL WHERE id = 1")
    images = await tables.fetch("SELECT new FROM flux.mutations WHERE operation = 'insert' ORDER BY id")
    assert [orjson.loads(row["new"])["v"] for row in images] == [expected, None]
    found = await written(tables)
    assert told(found)[2:] == [("update", [1], ["v"])]
    await tables.execute("RESET ALL")
    restored = await tables.fetchval(
        "SELECT literal FROM flux.literals('things'::regclass, $1) WHERE name = 'v'", images[0]["new"]
    )
    assert await tables.fetchval(f"SELECT record_image_eq(ROW({restored}::{kind}), ROW({literal}::{kind}))")
