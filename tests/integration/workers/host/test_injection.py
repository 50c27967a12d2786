"""Hostile names and operators are refused before a statement is made of them; hostile values are stored as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux.failure import HostError
from flux.store.pool import Connection
from tests.integration.workers.host.conftest import Call

CORPUS: list[str] = json.loads(Path(__file__).with_name("injection.json").read_text())
REFUSALS = {"UNKNOWN_TABLE", "UNKNOWN_COLUMN", "INVALID_ARGUMENT", "INVALID_QUERY", "INVALID_VALUE"}


def attempts(hostile: str) -> list[tuple[str, dict[str, Any]]]:
    users = {"table": "users"}
    return [
        ("db.find", {"table": hostile}),
        ("db.insert", {"table": hostile, "data": {"email": "x"}}),
        ("db.delete", {"table": hostile, "where": {"id": 1}}),
        ("db.find", {**users, "where": {hostile: 1}}),
        ("db.find", {**users, "where": {hostile: None}}),
        ("db.find", {**users, "where": {hostile: {"in": [1]}}}),
        ("db.find", {**users, "where": {"id": {hostile: 1}}}),
        ("db.find", {**users, "columns": [hostile]}),
        ("db.find", {**users, "order_by": hostile}),
        ("db.find", {**users, "order_by": {hostile: "desc"}}),
        ("db.find", {**users, "order_by": {"id": hostile}}),
        ("db.find", {**users, "limit": hostile}),
        ("db.find", {**users, "offset": hostile}),
        ("db.findOne", {**users, "where": {hostile: "x"}}),
        ("db.findById", {**users, "id": {hostile: 1}}),
        ("db.findById", {**users, "id": hostile}),
        ("db.count", {**users, "where": {hostile: 1}}),
        ("db.insert", {**users, "data": {hostile: "x"}}),
        ("db.insertMany", {**users, "data": [{hostile: "x"}]}),
        ("db.insertMany", {**users, "data": [{"email": "x"}, {"email": "y", hostile: 1}]}),
        ("db.update", {**users, "where": {"id": 1}, "data": {hostile: "x"}}),
        ("db.update", {**users, "where": {hostile: 1}, "data": {"email": "x"}}),
        ("db.delete", {**users, "where": {hostile: 1}}),
        ("db.upsert", {**users, "data": {"email": "x", hostile: 1}, "on_conflict": ["email"]}),
        ("db.upsert", {**users, "data": {"email": "x"}, "on_conflict": [hostile]}),
    ]


async def outcome(call: Call, op: str, args: dict[str, Any]) -> str | None:
    try:
        await call(op, **args)
    except HostError as error:
        return error.code
    return None


@pytest.mark.usefixtures("users")
async def test_hostile_names(call: Call, connection: Connection) -> None:
    await call("db.insert", table="users", data={"email": "keep"})
    for hostile in CORPUS:
        for op, args in attempts(hostile):
            code = await outcome(call, op, args)
            # The one harmless reading: "1" is a primary key in digits, which nothing has to refuse.
            harmless = op == "db.findById" and args["id"] == "1"
            assert code in REFUSALS or harmless, (op, args, code)
    rows = await connection.fetch("SELECT email FROM users")
    assert [row["email"] for row in rows] == ["keep"]


@pytest.mark.usefixtures("users")
async def test_hostile_values(call: Call) -> None:
    storable = [hostile for hostile in CORPUS if "\x00" not in hostile]
    for hostile in storable:
        row = await call("db.insert", table="users", data={"email": hostile})
        assert row["email"] == hostile
        assert (await call("db.findOne", table="users", where={"email": hostile}))["id"] == row["id"]
        assert await call("db.count", table="users", where={"email": {"in": [hostile]}}) == 1
        assert await call("db.sql", text="SELECT $1::text AS v", params=[hostile]) == [{"v": hostile}]
    await call("db.update", table="users", where={"email": storable[0]}, data={"email": "changed"})
    assert await call("db.count", table="users") == len(storable)
