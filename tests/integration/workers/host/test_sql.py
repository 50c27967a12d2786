"""Raw SQL: what it may do, and that nothing of it stays on the connection."""

from __future__ import annotations

import asyncio

import pytest

from flux.failure import HostError
from flux.workers.host.scope import Services
from tests.integration.workers.host.conftest import Call, caller, new_scope


async def code_of(call: Call, text: str, *params: object) -> str:
    with pytest.raises(HostError) as caught:
        await call("db.sql", text=text, params=list(params))
    return caught.value.code


@pytest.mark.usefixtures("users")
async def test_statements(call: Call) -> None:
    rows = await call("db.sql", text="INSERT INTO users (email) VALUES ($1), ($2) RETURNING id", params=["a", "b"])
    assert rows == [{"id": 1}, {"id": 2}]
    assert await call("db.sql", text="UPDATE users SET age = $1", params=["5"]) == []
    assert await call("db.sql", text="SELECT sum(age) AS total FROM users") == [{"total": 10}]
    assert await call("db.sql", text="SELECT * FROM users WHERE false") == []


@pytest.mark.usefixtures("users")
async def test_errors(call: Call) -> None:
    assert await code_of(call, "SELEC 1") == "INVALID_SQL"
    assert await code_of(call, "SELECT * FROM nowhere") == "INVALID_SQL"
    assert await code_of(call, "SELECT 1; SELECT 2") == "INVALID_SQL"
    assert await code_of(call, "SELECT $1::int", "x") == "INVALID_VALUE"
    assert await code_of(call, "SELECT $1::int") == "INVALID_VALUE"
    assert await code_of(call, "SELECT 1", 1) == "INVALID_VALUE"
    assert await code_of(call, "SELECT 1/0") == "INVALID_VALUE"
    assert await code_of(call, "SELECT $1::int4range", "[1,2)") == "INVALID_VALUE"
    assert await code_of(call, "INSERT INTO users (email) VALUES (NULL)") == "NOT_NULL_VIOLATION"
    assert await code_of(call, "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$") == "RAISED"
    assert await code_of(call, "SELECT * FROM pg_authid") == "SQL_DENIED"
    assert await code_of(call, "BEGIN") == "STATEMENT_REFUSED"
    with pytest.raises(HostError, match='"params" must be an array'):
        await call("db.sql", text="SELECT 1", params={"a": 1})


async def test_elements_of_domains_over_dates_do_not_become_infinity(call: Call) -> None:
    await call("db.sql", text="CREATE DOMAIN workday AS date")
    await call("db.sql", text="CREATE TABLE plans (days workday[])")
    add = "INSERT INTO plans VALUES ($1) RETURNING days"
    assert await code_of(call, add, ["2026-01-02"]) == "INVALID_VALUE"
    assert await call("db.sql", text=add, params=[["infinity"]]) == [{"days": ["infinity"]}]


async def test_rows_are_limited(call: Call) -> None:
    assert len(await call("db.sql", text="SELECT * FROM generate_series(1, 5000)")) == 5000
    assert await code_of(call, "SELECT * FROM generate_series(1, 10000000)") == "TOO_MANY_ROWS"


async def test_nothing_stays_on_the_connection(services: Services) -> None:
    """One connection serves all: the second execution must find it as the first one did."""
    call = caller(new_scope(services))
    for text in (
        "SET search_path = flux",
        "SET TIME ZONE 'Asia/Tokyo'",
        "SELECT set_config('application_name', 'mine', false)",
        "SELECT pg_advisory_lock(42)",
        "CREATE TEMP TABLE users (id int)",
        "SELECT 1 AS x INTO TEMP leftover",
    ):
        await call("db.sql", text=text)
    tx = (await call("db.begin"))["tx"]
    await call("db.sql", text="SET default_transaction_read_only = on", tx=tx)
    await call("db.commit", tx=tx)

    async def state() -> object:
        return await caller(new_scope(services))(
            "db.sql",
            text="""
                SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone,
                    current_setting('application_name') AS name, to_regclass('pg_temp.users') AS users,
                    current_setting('default_transaction_read_only') AS read_only,
                    to_regclass('pg_temp.leftover') AS leftover,
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks
            """,
        )

    states = await asyncio.gather(*(state() for _ in range(4)))
    fresh = [{**states[0][0], "path": "public", "name": "flux", "users": None, "leftover": None, "locks": 0}]  # type: ignore[index]
    assert all(found == fresh for found in states)
    assert "Tokyo" not in str(states)
    assert states[0][0]["read_only"] == "off"  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
        "CREATE PROCEDURE pg_temp.spoil() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
    ],
)
async def test_prepared_statements_that_code_takes_away_are_made_again(services: Services, text: str) -> None:
    call = caller(new_scope(services))
    asked = "SELECT count(*) AS number FROM pg_class WHERE relname = $1"
    for _ in range(2):
        assert await call("db.sql", text=asked, params=["nowhere"]) == [{"number": 0}]
    tx = (await call("db.begin"))["tx"]
    await call("db.sql", text=text, tx=tx)
    if "PROCEDURE" in text:
        await call("db.sql", text="CALL pg_temp.spoil()", tx=tx)
    assert await call("db.sql", text=asked, params=["nowhere"], tx=tx) == [{"number": 0}]
    await call("db.commit", tx=tx)
    assert await call("db.sql", text=asked, params=["nowhere"]) == [{"number": 0}]


async def test_tables_made_by_raw_sql_are_known_at_once(call: Call) -> None:
    with pytest.raises(HostError):
        await call("db.count", table="fresh")
    await call("db.sql", text="CREATE TABLE fresh (id int)")
    assert await call("db.insert", table="fresh", data={"id": 1}) == {"id": 1}
    await call("db.sql", text="ALTER TABLE fresh ADD COLUMN note text DEFAULT 'new'")
    assert await call("db.find", table="fresh") == [{"id": 1, "note": "new"}]
    await call("db.sql", text="SELECT * FROM fresh")
    await call("db.sql", text="ALTER TABLE fresh ALTER COLUMN id TYPE bigint")
    await call("db.update", table="fresh", where={"id": 1}, data={"id": "9007199254740993"})
    assert await call("db.sql", text="SELECT * FROM fresh") == [{"id": "9007199254740993", "note": "new"}]
    await call("db.sql", text="DROP TABLE fresh")
    with pytest.raises(HostError):
        await call("db.count", table="fresh")
