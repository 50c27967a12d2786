"""What a statement writes into the record."""

from __future__ import annotations

import asyncpg
import pytest

from flux.store.mutations.install import install
from flux.store.pool import Connection

from .conftest import told, written


async def test_insert_update_delete(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (email, amount) VALUES ('a', 1.50), ('b', 'NaN')")
    await tables.execute("UPDATE users SET email = email || '!', amount = amount + 1")
    await tables.execute("UPDATE users SET plan = 'pro' WHERE id = 1")
    await tables.execute("DELETE FROM users WHERE id = 2")
    found = await written(tables)
    assert told(found) == [
        ("insert", [1], None),
        ("insert", [2], None),
        ("update", [1], ["email", "amount"]),
        ("update", [2], ["email"]),  # NaN + 1 is NaN
        ("update", [1], ["plan"]),
        ("delete", [2], None),
    ]
    assert found[2]["old"] == {"id": 1, "email": "a", "plan": "free", "amount": 1.50}
    assert found[2]["new"] == {"id": 1, "email": "a!", "plan": "free", "amount": 2.50}
    assert (found[0]["old"], found[5]["new"]) == (None, None)
    assert found[5]["old"] == {"id": 2, "email": "b!", "plan": "free", "amount": "NaN"}
    assert {each["row"] for each in found if each["key"] == [1]}.isdisjoint(
        each["row"] for each in found if each["key"] == [2]
    )


async def test_nothing_changed_nothing_recorded(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (email) SELECT 'a' WHERE false")
    await tables.execute("UPDATE users SET email = 'x' WHERE id = 7")
    await tables.execute("DELETE FROM users")
    assert await written(tables) == []
    await tables.execute("INSERT INTO users (email) VALUES ('a'), ('b')")
    await tables.execute("UPDATE users SET email = 'a'")
    assert told(await written(tables))[2:] == [("update", [2], ["email"])]


async def test_a_change_of_scale_is_a_change(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (amount) VALUES (1.0); UPDATE users SET amount = 1.00")
    found = await written(tables)
    assert told(found)[1:] == [("update", [1], ["amount"])]


async def test_rolled_back_with_the_transaction(tables: Connection) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await tables.execute("INSERT INTO users (id, email) OVERRIDING SYSTEM VALUE VALUES (1, 'a'), (1, 'b')")
    transaction = tables.transaction()
    await transaction.start()
    await tables.execute("INSERT INTO users (email) VALUES ('kept')")
    savepoint = tables.transaction()
    await savepoint.start()
    await tables.execute("INSERT INTO users (email) VALUES ('undone')")
    await savepoint.rollback()
    await transaction.commit()
    assert [each["new"]["email"] for each in await written(tables)] == ["kept"]


async def test_order_within_a_transaction(tables: Connection) -> None:
    async with tables.transaction():
        for plan in ("a", "b", "c"):
            await tables.execute("INSERT INTO users (plan) VALUES ($1)", plan)
    found = await written(tables)
    assert [each["new"]["plan"] for each in found] == ["a", "b", "c"]
    assert len({each["transaction"] for each in found}) == 1
    assert len({each["at"] for each in found}) == 3


async def test_upsert_and_merge(tables: Connection) -> None:
    await tables.execute("CREATE TABLE stock (item text PRIMARY KEY, n int)")
    await tables.execute("INSERT INTO stock VALUES ('a', 1)")
    await written(tables)
    upsert = "INSERT INTO stock VALUES ('a', 5), ('b', 2) ON CONFLICT (item) DO UPDATE SET n = excluded.n"
    await tables.execute(upsert)
    assert sorted(told(await written(tables)), key=str) == [("insert", ["b"], None), ("update", ["a"], ["n"])]
    await tables.execute(upsert)
    await tables.execute("INSERT INTO stock VALUES ('a', 9) ON CONFLICT DO NOTHING")
    assert await written(tables) == []
    await tables.execute(
        """
        MERGE INTO stock USING (VALUES ('a', 0), ('b', 3), ('c', 1)) AS v (item, n) ON v.item = stock.item
        WHEN MATCHED AND v.n = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = v.n
        WHEN NOT MATCHED THEN INSERT VALUES (v.item, v.n)
        """
    )
    assert sorted(told(await written(tables)), key=str) == [
        ("delete", ["a"], None),
        ("insert", ["c"], None),
        ("update", ["b"], ["n"]),
    ]


async def test_copy(tables: Connection) -> None:
    await tables.copy_records_to_table("users", records=[("a",), ("b",)], columns=["email"])
    assert told(await written(tables)) == [("insert", [1], None), ("insert", [2], None)]


async def test_a_changed_key_ends_one_row_and_begins_another(tables: Connection) -> None:
    await tables.execute("CREATE TABLE seats (row text, number int, PRIMARY KEY (row, number))")
    await tables.execute("INSERT INTO seats VALUES ('a', 1), ('a', 2)")
    await tables.execute("UPDATE seats SET number = number + 10")
    await tables.execute("UPDATE seats SET number = 12, row = 'b' WHERE number = 12")
    assert told(await written(tables))[2:] == [
        ("delete", ["a", 1], ["number"]),
        ("delete", ["a", 2], ["number"]),
        ("insert", ["a", 11], ["number"]),
        ("insert", ["a", 12], ["number"]),
        ("delete", ["a", 12], ["row"]),
        ("insert", ["b", 12], ["row"]),
    ]


async def test_keys_that_change_places(tables: Connection) -> None:
    """Each old key is among the new ones, or equals one that is written otherwise, and yet all of them were changed."""
    await tables.execute("CREATE TABLE ranks (rank int PRIMARY KEY DEFERRABLE, name text)")
    await tables.execute("INSERT INTO ranks VALUES (1, 'a'), (2, 'b')")
    await tables.execute("CREATE TABLE waits (wait interval PRIMARY KEY)")
    await tables.execute("INSERT INTO waits VALUES ('24 hours'), ('48 hours')")
    await written(tables)
    await tables.execute("UPDATE ranks SET rank = 3 - rank")
    found = await written(tables)
    assert told(found) == [
        ("delete", [1], ["rank"]),
        ("delete", [2], ["rank"]),
        ("insert", [2], ["rank"]),
        ("insert", [1], ["rank"]),
    ]
    assert [each["new"]["name"] for each in found[2:]] == ["a", "b"]
    await tables.execute("UPDATE waits SET wait = justify_hours(wait)")
    assert [(operation, key) for operation, key, _ in told(await written(tables))] == [
        ("delete", ["24:00:00"]),
        ("delete", ["48:00:00"]),
        ("insert", ["1 day"]),
        ("insert", ["2 days"]),
    ]


async def test_truncate_and_cascades(tables: Connection) -> None:
    await tables.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, author bigint REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE)"
    )
    await tables.execute(
        "INSERT INTO users (email) VALUES ('a'), ('b'); INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)"
    )
    await written(tables)
    await tables.execute("DELETE FROM users WHERE id = 1")
    found = await written(tables)
    assert sorted((each["table"], *each["key"]) for each in found) == [("posts", 1), ("posts", 2), ("users", 1)]
    await tables.execute("TRUNCATE users CASCADE")
    found = await written(tables)
    assert sorted((each["table"], each["operation"]) for each in found) == [
        ("posts", "truncate"),
        ("users", "truncate"),
    ]


async def test_a_writable_view(tables: Connection) -> None:
    await tables.execute(
        """
        CREATE VIEW people AS SELECT id, email FROM users;
        CREATE VIEW odd AS SELECT email FROM users;
        CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO users (email) VALUES (NEW.email || '?'); RETURN NEW; END $$;
        CREATE TRIGGER add INSTEAD OF INSERT ON odd FOR EACH ROW EXECUTE FUNCTION add();
        """
    )
    await written(tables)
    await tables.execute("INSERT INTO people (email) VALUES ('a'); INSERT INTO odd VALUES ('b')")
    assert [each["new"]["email"] for each in await written(tables)] == ["a", "b?"]


async def test_many_rows_keep_their_pairs(tables: Connection) -> None:
    await tables.execute("INSERT INTO users (email) SELECT i::text FROM generate_series(1, 5000) i")
    await written(tables)
    await tables.execute("UPDATE users SET email = (email::int * 2)::text")
    found = await written(tables)
    assert len(found) == 5000
    assert all(int(each["new"]["email"]) == 2 * int(each["old"]["email"]) for each in found)
    assert all(each["key"] == [each["new"]["id"]] == [each["old"]["id"]] for each in found)


async def test_without_a_primary_key(tables: Connection) -> None:
    await tables.execute("CREATE TABLE notes (text text)")
    await tables.execute("INSERT INTO notes VALUES ('a'), ('a'); UPDATE notes SET text = 'b'; DELETE FROM notes")
    found = await written(tables)
    assert told(found) == [
        ("insert", None, None),
        ("insert", None, None),
        ("update", None, ["text"]),
        ("update", None, ["text"]),
        ("delete", None, None),
        ("delete", None, None),
    ]
    assert all(each["row"] is None for each in found)


async def test_concurrent_writers_of_one_row(tables: Connection, database_url: str) -> None:
    await tables.execute("INSERT INTO users (amount) VALUES (0)")
    await written(tables)
    second = await asyncpg.connect(database_url)
    try:
        for conn in (tables, second, second, tables) * 5:
            await conn.execute("UPDATE users SET amount = amount + 1")
    finally:
        await second.close()
    found = await written(tables)
    assert [(each["old"]["amount"], each["new"]["amount"]) for each in found] == [(n, n + 1) for n in range(20)]


async def test_left_alone_when_told_so(connection: Connection) -> None:
    await connection.execute("CREATE TABLE cache (k text PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY)")
    assert (await install(connection, unmanaged=["cache"])).managed == ("users",)
    await connection.execute("INSERT INTO cache VALUES ('a')")
    assert await written(connection) == []
    await install(connection, unmanaged=["public.users"])
    await connection.execute("INSERT INTO cache VALUES ('b'); INSERT INTO users VALUES (1)")
    assert [each["table"] for each in await written(connection)] == ["cache"]
