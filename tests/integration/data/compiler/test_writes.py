"""Inserts, upserts, updates and deletes: values, answers, identity, policies."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from flux.data.types.codec import set_codecs
from flux.store import embedded
from tests.fixtures.postgres import installations
from tests.integration.data.compiler.conftest import IDENTITY, Database

TABLES = """
    CREATE TABLE notes (
        id bigserial PRIMARY KEY, owner text NOT NULL DEFAULT 'acme', slug text UNIQUE, body text, tags text[],
        hidden integer DEFAULT 7, size integer GENERATED ALWAYS AS (length(body)) STORED
    );
"""


@pytest.fixture
async def notes(database: Database) -> Database:
    await database.define(TABLES)
    return database


async def rows(database: Database, what: str = "id, owner, slug, body") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.connection.fetch(f"SELECT {what} FROM notes ORDER BY id")]


def insert(data: Any, **more: Any) -> dict[str, Any]:
    return {"table": "notes", "operation": "insert", "data": data, **more}


async def test_insert(notes: Database) -> None:
    one = await notes.ask(insert({"slug": "a", "tags": ["x"]}))
    assert one == {"id": 1, "owner": "acme", "slug": "a", "body": None, "tags": ["x"], "hidden": 7, "size": None}
    assert await notes.ask(insert({}, returning=["id"])) == {"id": 2}
    assert await notes.ask(insert([{}, {}], returning={"key": "id"})) == [{"key": 3}, {"key": 4}]
    alike = [{"slug": f"s{number}", "tags": [f"t{number}", '"{', None]} for number in range(300)]
    assert [row["slug"] for row in await notes.ask(insert(alike))] == [row["slug"] for row in alike]
    mixed = [{"slug": "m1"}, {"body": "hello", "slug": "m2"}, {"body": None}]
    answer = await notes.ask(insert(mixed, returning=["slug", "body", "hidden"]))
    assert [(row["slug"], row["body"], row["hidden"]) for row in answer] == [
        ("m1", None, 7),
        ("m2", "hello", 7),
        (None, None, 7),
    ]
    assert await notes.ask(insert([])) == []


async def test_all_or_none(notes: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await notes.ask(insert([{"slug": "a"}, {"slug": "b"}, {"slug": "a"}]))
    assert await rows(notes) == []


async def test_values_that_are_missing_or_cannot_be_written(notes: Database) -> None:
    await notes.define(
        "CREATE TABLE strict (id bigint PRIMARY KEY, a text NOT NULL, b text NOT NULL DEFAULT '', c int)"
    )
    error = await notes.refusal({"table": "strict", "operation": "insert", "data": {"c": 1}})
    assert (error.code, error.details["columns"]) == ("MISSING_VALUE", ["id", "a"])
    error = await notes.refusal({"table": "strict", "operation": "insert", "data": [{"id": 1, "a": ""}, {"id": 2}]})
    assert (error.code, error.details["columns"]) == ("MISSING_VALUE", ["a"])
    assert (await notes.refusal(insert({"size": 1}))).code == "INVALID_ARGUMENT"
    error = await notes.refusal(insert([{"hidden": 1}, {"hidden": "x"}]))
    assert (error.code, error.details["column"]) == ("INVALID_VALUE", "hidden")


async def test_update_and_delete(notes: Database) -> None:
    await notes.ask(insert([{"slug": "a", "body": "x"}, {"slug": "b", "body": "y"}]))
    changed = {"table": "notes", "operation": "update", "data": {"body": "zz"}, "where": {"slug": "a"}}
    assert await notes.ask({**changed, "returning": ["id", "body", "size"]}) == [{"id": 1, "body": "zz", "size": 2}]
    assert await notes.ask({**changed, "where": {"slug": "none"}}) == []
    gone = await notes.ask({"table": "notes", "operation": "delete", "all": True, "returning": ["slug"]})
    assert sorted(row["slug"] for row in gone) == ["a", "b"]
    assert await rows(notes) == []


async def test_upsert(notes: Database) -> None:
    await notes.ask(insert({"slug": "a", "body": "x"}))
    query = {"table": "notes", "operation": "upsert", "on_conflict": ["slug"], "returning": ["id", "body", "owner"]}
    assert await notes.ask({**query, "data": {"slug": "a", "body": "y"}}) == {"id": 1, "body": "y", "owner": "acme"}
    assert await notes.ask({**query, "data": {"slug": "a"}}) == {"id": 1, "body": "y", "owner": "acme"}
    several = [{"slug": "n", "body": "1", "owner": "p"}, {"slug": "a", "body": "2", "owner": "q"}]
    chosen = {"columns": ["slug"], "update": ["body"]}
    answer = await notes.ask({**query, "data": several, "on_conflict": chosen})
    assert [(row["body"], row["owner"]) for row in answer] == [("1", "p"), ("2", "acme")]
    nothing = {"columns": ["slug"], "update": "nothing"}
    assert await notes.ask({**query, "data": {"slug": "a", "body": "9"}, "on_conflict": nothing}) is None
    assert await notes.ask(
        {**query, "data": [{"slug": "a"}, {"slug": "z"}], "on_conflict": nothing, "returning": ["slug"]}
    ) == [{"slug": "z"}]
    error = await notes.refusal({**query, "data": {"body": "a"}, "on_conflict": ["body"]})
    assert error.code == "INVALID_ARGUMENT"
    assert "slug" in str(error)


async def test_written_rows_are_checked(notes: Database) -> None:
    own = "owner = $auth.tenant"
    notes.protect("notes", select={"where": own}, insert={"check": own}, update={"where": own}, delete={"where": own})
    await notes.connection.execute("INSERT INTO notes (owner, slug) VALUES ('other', 'theirs')")
    assert (await notes.ask(insert({"slug": "mine"})))["slug"] == "mine"
    before = await rows(notes)
    for query in (
        insert({"owner": "other"}),
        insert([{"slug": "a", "owner": "acme"}, {"slug": "b", "owner": "other"}]),
        insert([{"slug": "a"}, {"slug": "b", "owner": "other"}]),
        {"table": "notes", "operation": "update", "data": {"owner": "other"}, "where": {"slug": "mine"}},
        {**insert({"slug": "theirs", "owner": "acme"}), "operation": "upsert", "on_conflict": ["slug"]},
        {**insert({"slug": "mine", "owner": "other"}), "operation": "upsert", "on_conflict": ["slug"]},
    ):
        for record in (True, False):
            with pytest.raises(Exception, match="policies do not allow") as caught:
                await notes.ask(query, record=record)
            assert caught.value.code == "FORBIDDEN_ROW"  # type: ignore[attr-defined]  # it is a HostError
    assert await rows(notes) == before
    assert (
        await notes.ask({"table": "notes", "operation": "update", "data": {"body": "x"}, "where": {"slug": "theirs"}})
        == []
    )
    assert len(await notes.ask({"table": "notes", "operation": "delete", "all": True})) == 1
    assert [row[1] for row in await rows(notes)] == ["other"]


async def test_checks_see_what_triggers_made(notes: Database) -> None:
    await notes.define("""
        CREATE FUNCTION give_away() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.body = 'give' THEN NEW.owner := 'other'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER give_away BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION give_away();
    """)
    notes.protect("notes", select={}, insert={"check": "owner = 'acme'"}, update={"where": "owner = 'acme'"})
    assert (await notes.refusal(insert({"body": "give"}))).code == "FORBIDDEN_ROW"
    await notes.ask(insert({"body": "keep"}))
    change = {"table": "notes", "operation": "update", "data": {"body": "give"}, "where": {"body": "keep"}}
    assert (await notes.refusal(change)).code == "FORBIDDEN_ROW"
    assert [row[1:] for row in await rows(notes)] == [("acme", None, "keep")]


async def test_upsert_with_two_checks(notes: Database) -> None:
    """Inserted rows must be drafts, updated ones final; each row is checked by how it came about."""
    notes.protect("notes", select={}, insert={"check": "body = 'draft'"}, update={"check": "body = 'final'"})
    upsert = {"table": "notes", "operation": "upsert", "on_conflict": ["slug"], "returning": ["slug", "body"]}
    assert (await notes.refusal({**upsert, "data": {"slug": "a", "body": "final"}})).code == "FORBIDDEN_ROW"
    assert await notes.ask({**upsert, "data": {"slug": "a", "body": "draft"}}) == {"slug": "a", "body": "draft"}
    assert (await notes.refusal({**upsert, "data": {"slug": "a", "body": "draft"}})).code == "FORBIDDEN_ROW"
    mixed = [{"slug": "a", "body": "final"}, {"slug": "b", "body": "draft"}]
    assert await notes.ask({**upsert, "data": mixed}) == mixed
    assert (await notes.refusal({**upsert, "data": mixed[::-1]})).code == "FORBIDDEN_ROW"
    assert (await notes.refusal({**upsert, "data": [mixed[0], {"slug": "c", "body": "final"}]})).code == "FORBIDDEN_ROW"


async def test_answers_hold_what_may_be_read(notes: Database) -> None:
    notes.protect("notes", select={"where": "owner = 'acme'", "readable": ["id", "owner"]}, insert={}, update={})
    assert await notes.ask(insert({"slug": "a"})) == {"id": 1, "owner": "acme"}
    assert await notes.ask(insert({"owner": "other"})) is None
    assert await notes.ask(insert([{"owner": "acme"}, {"owner": "other"}])) == [{"id": 3, "owner": "acme"}]
    assert (await notes.refusal(insert({}, returning=["slug"]))).code == "FORBIDDEN_COLUMN"
    change = {"table": "notes", "operation": "update", "data": {"owner": "else"}, "where": {"id": {"in": [1, 2]}}}
    assert await notes.ask(change) == []
    assert [row[1] for row in await rows(notes)] == ["else", "other", "acme", "other"]
    notes.protect("notes", insert={})
    assert await notes.ask(insert({"slug": "x"})) is None
    assert await notes.ask(insert([{"slug": "y"}])) == []
    assert (await notes.refusal(insert({}, returning=["id"]))).code == "FORBIDDEN_COLUMN"


async def test_writable_columns(notes: Database) -> None:
    notes.protect("notes", select={}, insert={"writable": ["slug", "body"]}, update={"writable": ["body"]})
    assert (await notes.refusal(insert({"owner": "x"}))).code == "FORBIDDEN_COLUMN"
    await notes.ask(insert({"slug": "a", "body": "b"}))
    change = {"table": "notes", "operation": "update", "where": {"id": 1}}
    assert (await notes.refusal({**change, "data": {"slug": "x"}})).code == "FORBIDDEN_COLUMN"
    assert (await notes.ask({**change, "data": {"body": "x"}}))[0]["body"] == "x"
    upsert = {"table": "notes", "operation": "upsert", "data": {"slug": "a", "body": "c"}}
    assert (await notes.ask({**upsert, "on_conflict": ["slug"]}))["body"] == "c"
    assert (
        await notes.refusal({**upsert, "on_conflict": ["id"], "data": {"id": 1, "slug": "q"}})
    ).code == "FORBIDDEN_COLUMN"
    assert (await notes.refusal({"table": "notes", "operation": "delete", "all": True})).code == "FORBIDDEN_TABLE"


@pytest.mark.parametrize("installation", installations(), ids=lambda each: f"postgres-{each.major}")
async def test_identity_is_set_before_anything_is_written(installation: embedded.Installation, tmp_path: Any) -> None:
    """Statement triggers run first of all; they, too, see whose statement it is. Checks work, too."""
    running = embedded.start(tmp_path / "data", installation=installation)
    try:
        connection = await asyncpg.connect(running.url)
        try:
            await set_codecs(connection)
            await check_identity(Database(connection))
        finally:
            await connection.close()
    finally:
        running.stop()


async def check_identity(database: Database) -> None:
    await database.define(
        TABLES
        + """
        CREATE TABLE seen (event text, identity text);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO seen
                    VALUES (TG_WHEN || ' ' || TG_OP || ' ' || TG_LEVEL, current_setting('flux.identity', true));
                RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
            END $$;
        CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON notes EXECUTE FUNCTION see();
        CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION see();
        CREATE TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON notes EXECUTE FUNCTION see();
        """
    )
    queries: list[dict[str, Any]] = [
        insert({"slug": "a", "body": "x"}),
        insert([{"slug": "b"}, {"slug": "c"}]),
        insert([{"slug": "d"}, {"body": "e"}]),
        {**insert({"slug": "a", "body": "y"}), "operation": "upsert", "on_conflict": ["slug"]},
        {"table": "notes", "operation": "update", "data": {"body": "z"}, "where": {"id": 1}},
        {"table": "notes", "operation": "delete", "where": {"id": 1}},
        {"table": "notes", "operation": "delete", "all": True},
    ]
    for policy in (False, True):
        if policy:
            own: dict[str, Any] = {"where": "owner = $auth.tenant", "check": "owner = $auth.tenant"}
            database.protect("notes", select={"where": "owner = $auth.tenant"}, insert=own, update=own, delete=own)
        for mode in ("force_custom_plan", "force_generic_plan"):
            await database.connection.execute(f"SET plan_cache_mode = {mode}")
            for query in queries:
                await database.ask(query)
            found = await database.connection.fetch("SELECT DISTINCT identity FROM seen")
            assert [row["identity"] for row in found] == [IDENTITY], (policy, mode)
            assert await database.connection.fetchval("SELECT count(DISTINCT event) FROM seen") == 9
            await database.connection.execute("TRUNCATE seen")
    assert (await database.refusal(insert({"owner": "other"}))).code == "FORBIDDEN_ROW"
    assert await database.connection.fetchval("SELECT coalesce(current_setting('flux.identity', true), '')") == ""
