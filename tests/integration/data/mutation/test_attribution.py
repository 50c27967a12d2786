"""Who a change is attributed to, and that nobody can claim to be somebody else."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest

from flux.data.mutation.identity import identity
from flux.store.pool import Connection
from tests.fixtures.masking import mask_columns

from .conftest import superuser, written

REQUEST = str(uuid.uuid4())
WHO: dict[str, Any] = {
    "request_id": REQUEST,
    "span": 3,
    "function": "create_user",
    "version": "c0de",
    "actor": "key:1",
    "tenant": "acmé",
}


@pytest.fixture
async def raw(tables: Connection, database_url: str) -> AsyncIterator[Connection]:
    """A session of a role that may write the team's tables and knows nothing of schema flux."""
    await tables.execute("GRANT INSERT, UPDATE, DELETE, SELECT ON users TO PUBLIC")
    admin = await asyncpg.connect(superuser(database_url))
    role = f"raw_{uuid.uuid4().hex[:8]}"
    await admin.execute(f"CREATE ROLE {role} LOGIN")
    conn = await asyncpg.connect(database_url.replace("//flux@", f"//{role}@"))
    yield conn
    await conn.close()
    await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await admin.close()


async def insert(conn: Connection, setting: str | None) -> None:
    async with conn.transaction():
        if setting is not None:
            await conn.execute("SELECT set_config('flux.identity', $1, true)", setting)
        await conn.execute("INSERT INTO users (email) VALUES ('a')")


def author(mutation: dict[str, Any]) -> dict[str, Any]:
    names = {"version": "code_version"}
    found = {name: mutation[names.get(name, name)] for name in WHO}
    return found | {"request_id": str(found["request_id"]) if found["request_id"] else None}


def nobody(actor: str) -> dict[str, Any]:
    return dict.fromkeys(WHO) | {"actor": actor}


async def test_flux_itself_is_believed(tables: Connection) -> None:
    await insert(tables, identity(**WHO))
    await insert(tables, None)
    await insert(tables, identity(function="a\0b"))
    found = await written(tables)
    assert [author(each) for each in found] == [WHO, nobody("flux"), dict.fromkeys(WHO) | {"function": "ab"}]


async def test_in_one_statement(tables: Connection) -> None:
    await tables.fetch(
        "INSERT INTO users (email) SELECT $1 WHERE (SELECT set_config('flux.identity', $2, true)) IS NOT NULL",
        "a",
        identity(**WHO),
    )
    await tables.execute("INSERT INTO users (email) VALUES ('b')")
    assert [author(each)["actor"] for each in await written(tables)] == ["key:1", "flux"]


async def test_another_role_needs_the_key(tables: Connection, raw: Connection) -> None:
    key = await tables.fetchval("SELECT key FROM flux.secret WHERE name = 'identity'")
    pid = raw.get_server_pid()
    role = await raw.fetchval("SELECT session_user")
    good = identity(**WHO, key=key, pid=pid)
    await insert(raw, good)
    assert author((await written(tables))[0]) == WHO
    forged = good.replace("key:1", "key:2")
    old = '{"until": 1}'
    expired = hmac.new(key, f"{old}{pid}".encode(), hashlib.sha256).hexdigest() + old
    for worthless in (
        identity(**WHO),
        forged,
        identity(**WHO, key=key, pid=pid + 1),
        identity(**WHO, key=b"x" * 32, pid=pid),
        expired,
        "garbage",
        "f" * 64 + "{}",
        "",
        None,
    ):
        await insert(raw, worthless)
        assert author((await written(tables))[0]) == nobody(role), worthless


async def test_a_lent_role_is_another_role(tables: Connection, raw: Connection, database_url: str) -> None:
    role = await raw.fetchval("SELECT session_user")
    admin = await asyncpg.connect(superuser(database_url))
    await admin.execute(f"GRANT {role} TO flux")
    await admin.close()
    async with tables.transaction():
        await tables.execute(f"SET LOCAL ROLE {role}")
        await tables.execute("SELECT set_config('flux.identity', $1, true)", identity(**WHO))
        await tables.execute("INSERT INTO users (email) VALUES ('a')")
    assert author((await written(tables))[0]) == nobody(role)


async def test_the_record_is_out_of_reach(raw: Connection) -> None:
    await raw.execute("INSERT INTO users (email) VALUES ('a')")
    for forbidden in (
        "SELECT * FROM flux.mutations",
        "DELETE FROM flux.mutations",
        "SELECT key FROM flux.secret",
        "SELECT flux.attributed('')",
        "SELECT flux.manage('users'::regclass)",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        'DROP TRIGGER "!flux_mutation_insert" ON users',
        "SET session_replication_role = replica",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.execute(forbidden)


async def test_a_search_path_full_of_traps(tables: Connection, raw: Connection) -> None:
    await tables.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    await raw.execute(
        """
        CREATE FUNCTION public.row_to_json(users) RETURNS json LANGUAGE sql AS $$ SELECT '{"forged": 1}'::json $$;
        CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT '2000-01-01'::timestamptz $$;
        SET search_path = public, pg_catalog;
        """
    )
    await raw.execute("INSERT INTO users (email) VALUES ('a')")
    (found,) = await written(tables)
    assert (found["new"]["email"], found["at"].year > 2000) == ("a", True)


async def test_hmac(connection: Connection) -> None:
    for key, message in ((b"", b""), (b"k" * 32, b"text"), (b"k" * 64, b"x"), (b"\xff" * 100, bytes(300))):
        assert await connection.fetchval("SELECT flux.hmac($1, $2)", key, message) == hmac.digest(
            key, message, "sha256"
        )


async def test_masked_columns(tables: Connection) -> None:
    await mask_columns(tables, "users", "email")
    await tables.execute("INSERT INTO users (email) VALUES ('a@x'), ('b@x'), ('a@x'), (NULL)")
    await tables.execute("UPDATE users SET email = 'c@x' WHERE id = 1; UPDATE users SET email = 'a@x' WHERE id = 3")
    found = await written(tables)
    hashes = [each["new"]["email"] for each in found[:4]]
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[3] is None
    assert "a@x" not in str(found)
    assert all(len(text) == len("masked:") + 64 for text in hashes[:3])
    assert hashlib.sha256(b"a@x").hexdigest() not in hashes[0]
    assert [each["changed"] for each in found[4:]] == [["email"]]
    await mask_columns(tables, "users", "plan")
    await tables.execute("UPDATE users SET email = 'd@x' WHERE id = 1")
    (found_,) = await written(tables)
    assert (found_["new"]["email"], found_["new"]["plan"][:7]) == ("d@x", "masked:")


async def test_columns_stay_masked_when_their_table_is_renamed(tables: Connection) -> None:
    await mask_columns(tables, "users", "email")
    await tables.execute("ALTER TABLE users RENAME TO people; INSERT INTO people (email) VALUES ('a@x')")
    (found,) = await written(tables)
    assert found["new"]["email"].startswith("masked:")


async def test_a_masked_key(tables: Connection) -> None:
    await tables.execute("CREATE TABLE people (email text PRIMARY KEY, name text)")
    await mask_columns(tables, "people", "email")
    await tables.execute("INSERT INTO people VALUES ('a@x', 'A'); UPDATE people SET name = 'B'")
    found = await written(tables)
    assert found[0]["key"] == found[1]["key"] == [found[0]["new"]["email"]]
    assert orjson.dumps([found[0]["key"], found[1]["old"]]).find(b"a@x") == -1
