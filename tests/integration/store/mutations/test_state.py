from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from flux.errors import Conflict, NotFound
from flux.failure import HostError
from flux.store.mutations.install import install
from flux.store.mutations.weeks import ensure_weeks, monday
from flux.store.pool import Connection
from tests.fixtures.masking import mask_columns
from tests.integration.data.mutation.conftest import let_make_event_triggers

from .conftest import ask, now


async def test_history(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a'), ('other')")
    for amount in range(5):
        await changing.execute("UPDATE users SET amount = $1 WHERE id = 1", amount)
    await changing.execute("DELETE FROM users WHERE id = 1")
    page = await ask(changing, "history", "users", id="1", limit=3)
    assert (page["table"], page["row"]) == ("users", {"id": 1})
    assert [(each["version"], each["operation"], each["changed"]) for each in page["items"]] == [
        (7, "delete", None),
        (6, "update", ["amount", "double_amount"]),
        (5, "update", ["amount", "double_amount"]),
    ]
    rest = await ask(changing, "history", "users", id="1", after=page["next"])
    assert [each["version"] for each in rest["items"]] == [4, 3, 2, 1]
    assert rest["next"] is None
    assert rest["items"][-1]["new"]["email"] == "a"
    assert (await ask(changing, "history", "users", id="77"))["items"] == []


async def test_a_row_older_than_the_record(connection: Connection) -> None:
    await connection.execute("CREATE TABLE old (id int PRIMARY KEY, a int, b int); INSERT INTO old VALUES (1, 1, 1)")
    before = now()
    await install(connection)
    blame = await ask(connection, "blame", "old", id="1")
    assert [(each["column"], each["value"], each["at"]) for each in blame["columns"]] == [
        ("id", 1, None),
        ("a", 1, None),
        ("b", 1, None),
    ]
    await connection.execute("UPDATE old SET a = 2")
    (item,) = (await ask(connection, "history", "old", id="1"))["items"]
    assert item["version"] == 2
    blame = await ask(connection, "blame", "old", id="1")
    assert [(each["column"], each["version"]) for each in blame["columns"]] == [("id", None), ("a", 2), ("b", None)]
    stood = await ask(connection, "at", "old", before, id="1")
    assert (stood["values"], stood["known"]) == ({"id": 1, "a": 1, "b": 1}, False)
    assert stood["record_from"] is not None
    stood = await ask(connection, "at", "old", now(), id="1")
    assert (stood["known"], stood["record_from"]) == (True, None)


async def test_blame(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email, amount) VALUES ('a', 1)")
    await changing.execute("UPDATE users SET amount = 2; UPDATE users SET tags = '{x}'; UPDATE users SET amount = 2.0")
    blame = await ask(changing, "blame", "users", id="1")
    assert {each["column"]: each["version"] for each in blame["columns"]} == {
        **{"id": 1, "email": 1, "settings": 1},
        **{"amount": 4, "double_amount": 4, "tags": 3},
    }
    assert (blame["deleted"], blame["columns"][0]["actor"]) == (None, "flux")
    await changing.execute("DELETE FROM users")
    blame = await ask(changing, "blame", "users", id="1")
    assert blame["deleted"]["operation"] == "delete"
    assert blame["columns"][1]["value"] == "a"


async def test_a_moment_in_a_week_that_was_dropped(changing: Connection) -> None:
    """Then a row that has not changed since need not be what it was."""
    today = now().date()
    await ensure_weeks(changing, today)
    await changing.execute("UPDATE flux.managed_tables SET since = '2020-01-01'")
    await changing.execute("INSERT INTO users (email) VALUES ('a')")
    before, kept = now() - timedelta(days=8), f"{monday(today)}T00:00:00.000000Z"
    asked = [
        await ask(changing, "at", "users", before, id="1"),
        await ask(changing, "at", "users", before),
        await ask(changing, "diff", "users", before, now(), id="1"),
        await ask(changing, "diff", "users", before, now()),
        await ask(changing, "restore", "users", before),
    ]
    assert [(each["record_from"], each.get("known", False)) for each in asked] == [(kept, False)] * len(asked)
    asked = [await ask(changing, what, "users", now()) for what in ("at", "restore")]
    assert [each["record_from"] for each in asked] == [None, None]


async def test_blame_is_of_the_columns_of_now(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email, amount) VALUES ('a', 1)")
    await changing.execute("ALTER TABLE users DROP settings; ALTER TABLE users RENAME email TO address")
    await changing.execute("ALTER TABLE users ADD plan text DEFAULT 'free'")
    await install(changing)
    blame = await ask(changing, "blame", "users", id="1")
    told = {each["column"]: (each["value"], each["version"]) for each in blame["columns"]}
    assert {name: told.get(name) for name in ("address", "amount", "plan", "settings", "email")} == {
        **{"address": ("a", None), "amount": (1, 1), "plan": ("free", None)},
        **{"settings": None, "email": None},
    }


@pytest.mark.parametrize(("ending", "operation"), [("TRUNCATE users", "truncate"), ("DROP TABLE users", "ddl")])
async def test_blame_of_a_row_that_went_with_its_table(
    changing: Connection, database_url: str, ending: str, operation: str
) -> None:
    await let_make_event_triggers(database_url)
    await changing.execute("INSERT INTO users (email) VALUES ('a')")
    await changing.execute(ending)
    blame = await ask(changing, "blame", "users", id="1")
    assert blame["deleted"]["operation"] == operation
    assert blame["columns"][1]["value"] == "a"


async def test_at_and_diff_of_a_row(changing: Connection) -> None:
    start = now()
    await changing.execute("INSERT INTO users (email, amount) VALUES ('a', 1.50)")
    inserted = now()
    await changing.execute("UPDATE users SET email = 'b'")
    updated = now()
    await changing.execute("DELETE FROM users")
    emails = []
    for moment in (start, inserted, updated, now()):
        answer = await ask(changing, "at", "users", moment, id="1")
        assert answer["known"]
        emails.append(answer["values"] and answer["values"]["email"])
    assert emails == [None, "a", "b", None]
    diff = await ask(changing, "diff", "users", inserted, updated, id="1")
    assert (diff["changes"], diff["mutations"]) == ([{"column": "email", "old": "a", "new": "b"}], 1)


async def test_whole_tables_at_random_moments(changing: Connection) -> None:
    """Against what the table really was."""
    chosen = random.Random(5)
    stood: list[tuple[datetime, list[Any]]] = []
    everything = 'SELECT row_to_json(users)::text FROM users ORDER BY id::text COLLATE "C"'
    for step in range(40):
        statement = chosen.choice(
            [
                f"INSERT INTO users (email, amount) VALUES ('u{step}', {step}.{step}0), ('v{step}', 'NaN')",
                f"UPDATE users SET amount = amount + 1 WHERE id % 3 = {step % 3}",
                f"UPDATE users SET settings = '{{\"n\": {step}.0}}', tags = '{{a,NULL}}' WHERE id % 4 = 1",
                f"DELETE FROM users WHERE id % 5 = {step % 5}",
                f"UPDATE users SET email = 'w' || id || '-{step}' WHERE id < 5",
            ]
        )
        await changing.execute(statement)
        stood.append((now(), [row[0] for row in await changing.fetch(everything)]))
    for moment, expected in chosen.sample(stood, 8):
        found, after = [], None
        while True:
            page = await ask(changing, "at", "users", moment, after=after, limit=7)
            found += page["items"]
            after = page["next"]
            if after is None:
                break
        assert [each["row"]["id"] for each in found] == [each["values"]["id"] for each in found]
        assert len(found) == len(expected)
        # And restoring the table gives those very rows.
        transaction = changing.transaction()
        await transaction.start()
        script = (await _restore(changing, moment))["sql"]
        await changing.execute(_without_transaction(script))
        assert [row[0] for row in await changing.fetch(everything)] == expected
        await transaction.rollback()


async def _restore(conn: Connection, moment: datetime) -> Any:
    # Within a transaction already: what `ask` does, without its own.
    from flux.store.mutations import restore
    from flux.store.mutations.tables import find_table

    return await restore.restore(conn, await find_table(conn, "users"), moment)


def _without_transaction(script: str) -> str:
    return "\n".join(line for line in script.splitlines() if line not in ("BEGIN;", "COMMIT;"))


async def test_diff_of_a_table(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) SELECT 'u' || i FROM generate_series(1, 6) i")
    start = now()
    await changing.execute("UPDATE users SET email = 'x' WHERE id = 1; UPDATE users SET email = 'u1' WHERE id = 1")
    await changing.execute("UPDATE users SET email = 'y' WHERE id = 2; DELETE FROM users WHERE id = 3")
    await changing.execute("INSERT INTO users (email) VALUES ('n'); INSERT INTO users (email) VALUES ('gone')")
    await changing.execute("DELETE FROM users WHERE id = 8")
    end = now()
    await changing.execute("DELETE FROM users")
    diff = await ask(changing, "diff", "users", start, end, limit=2)
    assert diff["counts"] == {"inserted": 1, "updated": 1, "deleted": 1}
    assert [(each["row"]["id"], each["operation"], each["mutations"]) for each in diff["items"]] == [
        (2, "updated", 1),
        (3, "deleted", 1),
    ]
    assert diff["items"][0]["changes"] == [{"column": "email", "old": "u2", "new": "y"}]
    rest = await ask(changing, "diff", "users", start, end, after=diff["next"])
    assert [(each["row"]["id"], each["operation"]) for each in rest["items"]] == [(7, "inserted")]
    assert rest["next"] is None
    empty = await ask(changing, "diff", "users", end, end)
    assert (empty["items"], empty["counts"]["deleted"]) == ([], 0)


async def test_restore_a_row(changing: Connection) -> None:
    await changing.execute(
        "INSERT INTO users (email, settings, tags) VALUES ('a''\\', '{\"a\": 1.0}', '{\"x,y\",NULL}')"
    )
    stood = await changing.fetchrow("SELECT * FROM users")
    moment = now()
    await changing.execute("UPDATE users SET email = 'b', settings = NULL; INSERT INTO users (email) VALUES ('new')")
    answer = await ask(changing, "restore", "users", moment, id="1")
    assert (answer["rows"], answer["gaps"]) == (1, [])
    await changing.execute(answer["sql"])
    assert await changing.fetchrow("SELECT * FROM users WHERE id = 1") == stood
    await changing.execute("DELETE FROM users")
    await changing.execute((await ask(changing, "restore", "users", moment, id="1"))["sql"])
    assert await changing.fetch("SELECT * FROM users") == [stood]
    assert "UPDATE" not in (await ask(changing, "restore", "users", now(), id="1"))["sql"]


async def test_restore_after_columns_changed(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a'), ('b')")
    moment = now()
    await changing.execute("UPDATE users SET email = email || '!'; DELETE FROM users WHERE id = 2")
    await changing.execute(
        "ALTER TABLE users DROP COLUMN tags; ALTER TABLE users ADD plan text NOT NULL DEFAULT 'free'"
    )
    await install(changing)
    sql = (await ask(changing, "restore", "users", moment))["sql"]
    assert [line.split()[1] for line in sql.splitlines() if "does not come back" in line] == ['"tags"']
    await changing.execute(sql)
    rows = await changing.fetch("SELECT id, email, plan FROM users ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, "a", "free"), (2, "b", "free")]
    stood = await ask(changing, "at", "users", moment, id="1")
    assert "tags" in stood["values"]
    assert "plan" not in stood["values"]
    diff = await ask(changing, "diff", "users", moment, now(), id="1")
    assert {"column": "tags", "old": None} in diff["changes"]


async def test_restore_rows_that_refer_to_each_other(connection: Connection) -> None:
    await connection.execute("CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE)")
    await install(connection)
    await connection.execute("INSERT INTO tree VALUES (9, NULL), (1, 9), (2, 1)")
    stood, moment = await connection.fetch("SELECT * FROM tree ORDER BY id"), now()
    await connection.execute("DELETE FROM tree WHERE id = 9")
    await connection.execute(
        "ALTER TABLE tree DROP CONSTRAINT tree_parent_fkey, ADD FOREIGN KEY (parent) REFERENCES tree"
    )
    emptied = now()
    await connection.execute((await ask(connection, "restore", "tree", moment))["sql"])
    assert await connection.fetch("SELECT * FROM tree ORDER BY id") == stood
    await connection.execute((await ask(connection, "restore", "tree", emptied))["sql"])
    assert await connection.fetchval("SELECT count(*) FROM tree") == 0


async def test_masked_values_do_not_come_back(changing: Connection) -> None:
    await mask_columns(changing, "users", "email", "settings")
    await changing.execute("INSERT INTO users (email, amount, settings) VALUES ('secret', 1, '{\"a\": 1}')")
    moment = now()
    await changing.execute("UPDATE users SET email = 'other', amount = 2, settings = '{}'")
    answer = await ask(changing, "restore", "users", moment)
    assert "secret" not in answer["sql"]
    assert all("masked" in line for line in answer["sql"].splitlines()[1:3])
    await changing.execute(answer["sql"])
    assert tuple(await changing.fetchrow("SELECT email, amount, settings FROM users") or ()) == ("other", 1, "{}")
    assert "secret" not in str(await ask(changing, "at", "users", moment))


async def test_truncate_hides_rows(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a'), ('b')")
    moment = now()
    await changing.execute("TRUNCATE users")
    emptied = now()
    assert await ask(changing, "at", "users", emptied, id="1") == {
        **{"table": "users", "row": {"id": 1}, "values": None, "known": True, "record_from": None},
        "time": emptied.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    # The record knows the row from its insert; of the table it can only say that something is missing.
    assert (await ask(changing, "at", "users", moment, id="1"))["values"]["email"] == "a"
    stood = await ask(changing, "at", "users", moment)
    assert [gap["operation"] for gap in stood["gaps"]] == ["truncate"]
    assert (await ask(changing, "restore", "users", moment))["gaps"]
    await changing.execute((await ask(changing, "restore", "users", moment, id="1"))["sql"])
    assert await changing.fetchval("SELECT email FROM users WHERE id = 1") == "a"


async def test_dropped_table(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a')")
    moment = now()
    await changing.execute("DROP TABLE users")
    await install(changing)
    assert [each["version"] for each in (await ask(changing, "history", "users", id="1"))["items"]] == [1]
    assert (await ask(changing, "at", "users", moment, id="1"))["values"]["email"] == "a"
    assert (await ask(changing, "at", "users", moment, id="2"))["values"] is None
    with pytest.raises(Conflict, match="was dropped"):
        await ask(changing, "restore", "users", moment)


async def test_without_a_primary_key(connection: Connection) -> None:
    await connection.execute("CREATE TABLE notes (text text, n numeric); INSERT INTO notes VALUES ('old', 1.0)")
    await install(connection)
    await connection.execute("INSERT INTO notes VALUES ('a', 1), ('a', 1), ('b', 2)")
    moment = now()
    await connection.execute("UPDATE notes SET n = 7 WHERE text = 'b'; DELETE FROM notes WHERE text <> 'b'")
    stood = await ask(connection, "at", "notes", moment)
    assert sorted(each["values"]["text"] for each in stood["items"]) == ["a", "a", "b", "old"]
    for question in ("history", "restore"):
        with pytest.raises(HostError, match="no primary key"):
            await ask(connection, question, "notes", *([moment] if question == "restore" else []), id="1")
    with pytest.raises(HostError, match="no primary key"):
        await ask(connection, "diff", "notes", moment, now())
    assert stood["gaps"] == []
    await connection.execute("ALTER TABLE notes ADD more int")
    await install(connection)
    stood = await ask(connection, "at", "notes", moment)
    assert [gap["ddl"]["command"] for gap in stood["gaps"]] == ["ALTER TABLE"]


async def test_a_partition_with_its_columns_in_another_order(connection: Connection) -> None:
    """Its rows are the same whether a statement names it or its root."""
    await connection.execute(
        "CREATE TABLE notes (kind text, n int) PARTITION BY LIST (kind); CREATE TABLE notes_a (n int, kind text); "
        "ALTER TABLE notes ATTACH PARTITION notes_a FOR VALUES IN ('a')"
    )
    await install(connection)
    moment = now()
    await connection.execute("INSERT INTO notes_a (kind, n) VALUES ('a', 1)")
    assert (await ask(connection, "at", "notes", moment))["items"] == []


async def test_keys_of_many_kinds(connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE k (a timestamptz, b text, c numeric, v int, PRIMARY KEY (a, b, c)); SET timezone = 'Asia/Kolkata'"
    )
    await install(connection)
    await connection.execute("INSERT INTO k VALUES ('2026-02-01 12:00+00', 'x,y', 1.50, 1)")
    await connection.execute("SET timezone = 'UTC'; UPDATE k SET v = 2")
    text = '{"a": "2026-02-01T13:00:00+01:00", "b": "x,y", "c": 1.5}'
    answer = await ask(connection, "history", "k", id=text)
    assert [each["version"] for each in answer["items"]] == [2, 1]
    with pytest.raises(HostError) as raised:
        await ask(connection, "history", "k", id="a=tomorrowish,b=x,c=1")
    assert raised.value.code == "INVALID_VALUE"


async def test_a_key_that_was_just_renamed(changing: Connection) -> None:
    """Where event triggers are not allowed, Flux does not know of it yet."""
    await changing.execute("INSERT INTO users (email) VALUES ('a')")
    moment = now()
    await changing.execute("ALTER TABLE users RENAME id TO number; UPDATE users SET email = 'b'")
    assert [each["version"] for each in (await ask(changing, "history", "users", id="1"))["items"]] == [2, 1]
    await changing.execute("ALTER TABLE users DROP CONSTRAINT users_pkey")
    assert (await ask(changing, "at", "users", moment, id="1"))["values"]["email"] == "a"


async def test_unknown_table(changing: Connection) -> None:
    with pytest.raises(NotFound, match='Did you mean "users"'):
        await ask(changing, "history", "user", id="1")
    assert (await ask(changing, "history", "public.users", id="1"))["items"] == []
