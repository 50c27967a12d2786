"""Typed operations."""

from __future__ import annotations

from typing import Any

import pytest

from flux.failure import HostError
from flux.workers.host import catalogue
from flux.workers.host.connection import on_lanes, single
from flux.workers.host.scope import Services
from tests.integration.workers.host.conftest import Call, Tables, new_scope

pytestmark = pytest.mark.usefixtures("users")


async def fails(call: Call, op: str, /, **args: Any) -> HostError:
    with pytest.raises(HostError) as caught:
        await call(op, **args)
    return caught.value


@pytest.fixture
async def three(users: None, call: Call) -> list[Any]:
    rows: list[Any] = await call(
        "db.insertMany",
        table="users",
        data=[{"email": "a@x", "age": 30}, {"email": "b@x", "age": None}, {"email": "c@y", "plan": "pro", "age": 20}],
    )
    return rows


async def test_insert_gives_the_row(call: Call) -> None:
    row = await call("db.insert", table="users", data={"email": "a@x"})
    assert row == {"id": 1, "email": "a@x", "plan": "free", "age": None, "referrer": None}


async def test_insert_many_mixes_defaults(three: list[Any]) -> None:
    assert [row["plan"] for row in three] == ["free", "free", "pro"]
    assert [row["id"] for row in three] == [1, 2, 3]


async def test_insert_many_is_all_or_nothing(call: Call) -> None:
    error = await fails(call, "db.insertMany", table="users", data=[{"email": "a"}, {"email": "b"}, {"email": "a"}])
    assert error.code == "UNIQUE_VIOLATION"
    assert await call("db.count", table="users") == 0
    assert await call("db.insertMany", table="users", data=[]) == []


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"email": "a@x"}, [1]),
        ({"email": "nobody"}, []),
        ({"age": None}, [2]),
        ({"age": {"neq": None}}, [1, 3]),
        ({"age": {"neq": 30}}, [3]),
        ({"age": {"gt": 20}}, [1]),
        ({"age": {"gte": 20, "lt": 30}}, [3]),
        ({"age": {"lte": 20}}, [3]),
        ({"id": {"in": [1, "3", 99]}}, [1, 3]),
        ({"id": {"in": []}}, []),
        ({"age": {"in": [20, None]}}, [2, 3]),
        ({"email": {"like": "%@x"}}, [1, 2]),
        ({"email": {"ilike": "A@X"}}, [1]),
        ({"age": {"is_null": False}}, [1, 3]),
        ({"plan": "free", "age": 30}, [1]),
    ],
)
async def test_find(call: Call, where: Any, expected: list[int]) -> None:
    rows = await call("db.find", table="users", where=where, columns=["id"], order_by="id")
    assert [row["id"] for row in rows] == expected
    assert await call("db.count", table="users", where=where) == len(expected)


@pytest.mark.usefixtures("three")
async def test_order_limit_offset(call: Call) -> None:
    async def ids(**args: Any) -> list[int]:
        return [row["id"] for row in await call("db.find", table="users", **args)]

    assert await ids(order_by={"age": "asc"}) == [3, 1, 2]
    assert await ids(order_by=[{"plan": "desc"}, {"id": "desc"}]) == [3, 2, 1]
    assert await ids(order_by="id", limit=1, offset=1) == [2]
    assert await ids(limit=0) == []
    assert await call("db.findOne", table="users", order_by={"id": "desc"}, columns=["id"]) == {"id": 3}
    assert await call("db.findOne", table="users", where={"id": 9}) is None


async def test_limits(call: Call) -> None:
    await call("db.insertMany", table="users", data=[{"email": str(number)} for number in range(150)])
    assert len(await call("db.find", table="users")) == 100
    assert (await fails(call, "db.find", table="users", limit=5001)).code == "TOO_MANY_ROWS"
    for bad in (-1, 1.5, "10", True):
        assert (await fails(call, "db.find", table="users", limit=bad)).code == "INVALID_ARGUMENT"
    assert (await fails(call, "db.find", table="users", offset=-1)).code == "INVALID_ARGUMENT"
    assert (await fails(call, "db.insertMany", table="users", data=[{}] * 5001)).code == "TOO_MANY_ROWS"


@pytest.mark.usefixtures("three")
async def test_find_by_id(call: Call, tables: Tables, services: Services) -> None:
    await tables("CREATE TABLE pairs (a int, b text, v int, PRIMARY KEY (b, a)); INSERT INTO pairs VALUES (1, 'x', 7)")
    await tables("CREATE VIEW seen AS SELECT * FROM pairs")
    services.catalogue.forget()
    assert (await call("db.findById", table="users", id="2"))["email"] == "b@x"
    assert await call("db.findById", table="users", id=99) is None
    assert (await fails(call, "db.findById", table="users")).code == "INVALID_ARGUMENT"
    assert (await call("db.findById", table="pairs", id={"a": 1, "b": "x"}))["v"] == 7
    assert (await fails(call, "db.findById", table="pairs", id=1)).code == "INVALID_ARGUMENT"
    assert await call("db.find", table="seen") == [{"a": 1, "b": "x", "v": 7}]
    assert (await fails(call, "db.findById", table="seen", id=1)).code == "INVALID_ARGUMENT"


@pytest.mark.usefixtures("three")
async def test_update_upsert_delete(call: Call) -> None:
    rows = await call("db.update", table="users", where={"age": {"gt": 0}}, data={"plan": "pro"})
    assert sorted(row["id"] for row in rows) == [1, 3]
    row = await call("db.upsert", table="users", data={"email": "a@x", "age": 31}, on_conflict=["email"])
    assert (row["id"], row["age"], row["plan"]) == (1, 31, "pro")
    row = await call("db.upsert", table="users", data={"email": "a@x"}, on_conflict=["email"])
    assert row["age"] == 31
    assert (await call("db.upsert", table="users", data={"email": "new"}, on_conflict=["email"]))["plan"] == "free"
    rows = await call("db.delete", table="users", where={"id": {"in": [1, 2]}})
    assert [row["email"] for row in rows] == ["a@x", "b@x"]
    assert await call("db.count", table="users") == 2


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("where", [{}, None])
async def test_changing_all_rows_must_be_said(call: Call, where: Any) -> None:
    assert (await fails(call, "db.delete", table="users", where=where)).code == "WHERE_REQUIRED"
    assert (await fails(call, "db.update", table="users", where=where, data={"age": 1})).code == "WHERE_REQUIRED"
    assert await call("db.count", table="users", where={"age": 1}) == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("data", "code", "status", "details"),
    [
        ({"email": "a@x"}, "UNIQUE_VIOLATION", 409, {"constraint": "users_email_key", "columns": ["email"]}),
        ({"email": "n", "referrer": 99}, "FOREIGN_KEY_VIOLATION", 409, {"columns": ["referrer"]}),
        ({"email": "n", "plan": "gold"}, "CHECK_VIOLATION", 409, {"constraint": "users_plan_check"}),
        ({"email": None}, "NOT_NULL_VIOLATION", 400, {"columns": ["email"]}),
        ({}, "MISSING_VALUE", 400, {"columns": ["email"]}),
        ({"email": 5}, "INVALID_VALUE", 400, {"column": "email"}),
        ({"emial": "n"}, "UNKNOWN_COLUMN", 400, {"table": "users", "column": "emial"}),
    ],
)
async def test_refused_data(call: Call, data: Any, code: str, status: int, details: Any) -> None:
    error = await fails(call, "db.insert", table="users", data=data)
    assert (error.code, error.status) == (code, status)
    assert error.details.items() >= details.items()


async def test_unknown_names_and_the_nearest(call: Call) -> None:
    error = await fails(call, "db.find", table="user")
    assert (error.code, error.status) == ("UNKNOWN_TABLE", 400)
    assert 'Did you mean "users"?' in error.message
    error = await fails(call, "db.find", table="users", order_by="emial")
    assert 'Did you mean "email"?' in error.message


@pytest.mark.parametrize("table", ["jobs", "flux.jobs", "executions", "pg_class", "pg_catalog.pg_class", "api_keys"])
async def test_only_the_teams_tables(call: Call, table: str) -> None:
    assert (await fails(call, "db.find", table=table)).code == "UNKNOWN_TABLE"


async def test_what_is_forgotten_while_it_is_checked_is_read_anew(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function's own DDL: the answer to a question that was asked before it says that nothing has changed."""
    before = await services.catalogue.engine(services)
    ask = on_lanes

    async def meanwhile(*args: Any, **options: Any) -> list[bytes | None]:
        answer = await ask(*args, **options)
        services.catalogue.forget()
        return answer

    monkeypatch.setattr(catalogue, "on_lanes", meanwhile)
    monkeypatch.setattr(catalogue, "CHECK_S", 0.0)
    await services.catalogue.engine(services)
    assert await services.catalogue.engine(services) is not before


async def test_the_catalogue_follows_migrations(call: Call, tables: Tables, services: Services) -> None:
    assert await call("db.find", table="users") == []
    await tables("ALTER TABLE users RENAME COLUMN age TO years; CREATE TABLE later (id int)")
    services.catalogue._read_at = float("-inf")  # as if the last look had not been a moment ago
    assert await call("db.find", table="later") == []
    row = await call("db.insert", table="users", data={"email": "a", "years": 5})
    assert row["years"] == 5
    await tables("ALTER TABLE users DROP COLUMN years")
    services.catalogue._read_at = float("-inf")
    rows = await call("db.find", table="users")
    assert "years" not in rows[0]


async def test_a_column_changes_its_type(call: Call, tables: Tables, services: Services) -> None:
    await call("db.insert", table="users", data={"email": "a", "age": 5})
    await tables("ALTER TABLE users ALTER COLUMN age TYPE text")
    services.catalogue.forget()
    assert (await call("db.findOne", table="users", where={"email": "a"}))["age"] == "5"
    assert (await call("db.findOne", table="users", where={"age": "5"}))["email"] == "a"


@pytest.mark.usefixtures("users")
async def test_a_text_that_was_a_number_a_moment_ago_cannot_add_fields(call: Call, tables: Tables) -> None:
    await call("db.insert", table="users", data={"email": "a", "age": 5})
    assert (await call("db.findOne", table="users", where={"email": "a"}))["age"] == 5
    await tables("""ALTER TABLE users ALTER COLUMN age TYPE text; UPDATE users SET age = '5,"plan":"pro"'""")
    assert (await fails(call, "db.findOne", table="users", where={"email": "a"})).code == "INVALID_VALUE"


async def test_statements_are_prepared_once(call: Call, services: Services) -> None:
    for number in range(20):
        await call("db.findOne", table="users", where={"id": number, "email": f"e{number}"})
    scope = new_scope(services)
    count = 'SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE \'%FROM "public"."users"%LIMIT 1\''
    assert await single(scope, count, [], read=True) == [b"1"]


async def test_malformed_calls(call: Call) -> None:
    for args in (
        {"table": ""},
        {"table": 5},
        {"table": "users", "where": "1=1"},
        {"table": "users", "columns": []},
        {"table": "users", "columns": ["id", "id"]},
        {"table": "users", "columns": "id"},
        {"table": "users", "order_by": {"id": "up"}},
    ):
        assert (await fails(call, "db.find", **args)).code == "INVALID_QUERY"
    assert (await fails(call, "db.insert", table="users", data=[1])).code == "INVALID_QUERY"
    assert (await fails(call, "db.upsert", table="users", data={"age": 1})).code == "INVALID_QUERY"
    assert (await fails(call, "db.upsert", table="users", data={"age": 1}, on_conflict=["id"])).code == "INVALID_QUERY"
    assert (await fails(call, "db.update", table="users", where={"id": 1}, data={})).code == "INVALID_QUERY"
    assert (await fails(call, "db.nothing")).code == "UNKNOWN_OPERATION"
