from __future__ import annotations

from typing import Any

import orjson
import pytest

from flux.data.routes.declared import METHODS, operations_of
from flux.data.routes.request import Asked, Request, read_request
from flux.data.routes.response import respond, sole
from flux.failure import HostError
from flux.manifest import DataRoute

ROUTE = DataRoute(table="users", path="/users", methods=METHODS, operations=operations_of(METHODS))
READ_ONLY = DataRoute(table="users", path="/users")
JSON = (("content-type", "application/json; charset=utf-8"),)


def asked(
    method: str,
    path: str = "/users",
    body: Any = None,
    *,
    route: DataRoute = ROUTE,
    headers: Any = JSON,
    **query: str | list[str],
) -> Asked:
    matched, params = (path, {}) if path in ("/users", "/users/query", "/db:users") else ("/users/:id", {"id": path})
    raw = body if isinstance(body, bytes | None) else orjson.dumps(body)
    return read_request(route, Request(method, matched, params, query, headers, raw))


def refused(code: str, message: str, *arguments: Any, **more: Any) -> None:
    with pytest.raises(HostError) as caught:
        asked(*arguments, **more)
    assert caught.value.code == code
    assert message in caught.value.message


def test_rows() -> None:
    found = asked(
        "GET", plan="pro", age=["gte.18", "lt.65"], limit="5", select="id,email", order_by="-at,id", count="exact"
    )
    assert found.query == {
        **{"table": "users", "operation": "select", "columns": ["id", "email"], "limit": 5},
        **{"order_by": [{"at": "desc"}, "id"]},
    }
    assert found.filters == (("plan", "pro"), ("age", "gte.18"), ("age", "lt.65"))
    assert found.count
    assert orjson.loads(found.counting()) == {
        "query": {"table": "users", "operation": "count"},
        "filters": [["plan", "pro"], ["age", "gte.18"], ["age", "lt.65"]],
    }
    found = asked("HEAD", where='{"or": []}', select='{"a": "id"}', distinct="true", after='{"id": 1}', columns='["x"]')
    assert found.query["where"] == {"or": []}
    assert (found.query["select"], found.query["columns"]) == ({"a": "id"}, ["x"])  # the format itself refuses both
    assert (found.query["distinct"], found.query["after"]) == (True, {"id": 1})
    assert orjson.loads(found.counting())["query"]["where"] == {"or": []}


def test_one_row() -> None:
    found = asked("GET", "7", select="id")
    assert orjson.loads(found.arguments()) == {
        "query": {"table": "users", "operation": "select", "columns": ["id"], "one": True},
        "key": "7",
    }
    assert asked("PATCH", "7", {"a": 1}, returning="id").query["returning"] == ["id"]
    assert asked("DELETE", "7").key == "7"


def test_writes() -> None:
    assert asked("POST", body={"a": 1}).query == {"table": "users", "operation": "insert", "data": {"a": 1}}
    assert asked("POST", body=[{"a": 1}], on_conflict="a,b").query["operation"] == "upsert"
    assert asked("PATCH", body={"a": 1}, all="true").query["all"] is True
    assert "all" not in asked("DELETE", all="false").query


def test_whole_queries_and_calls_by_name() -> None:
    for path in ("/users/query", "/db:users"):
        assert asked("POST", path, {"operation": "count"}).query == {"table": "users", "operation": "count"}
        assert asked("POST", path, {"limit": 1}, route=READ_ONLY).query["operation"] == "select"
    refused("FORBIDDEN_OPERATION", '"delete"', "POST", "/users/query", {"operation": "delete"}, route=READ_ONLY)
    refused("INVALID_ARGUMENT", '"table"', "POST", "/users/query", {"table": "orders"})
    refused("INVALID_ARGUMENT", '"limit"', "POST", "/users/query", {}, limit="1")
    refused("QUERY_TOO_LARGE", "bytes", "POST", "/users/query", b" " * (1 << 20) + b"{}")


def test_what_is_not_taken_is_named() -> None:
    refused("INVALID_ARGUMENT", 'the parameter "foo", "bar"', "GET", "7", foo="1", bar="2")
    refused("INVALID_ARGUMENT", "It takes: columns, select", "GET", "7", limit="1")
    refused("INVALID_ARGUMENT", '"count"', "GET", count="estimated")
    refused("INVALID_ARGUMENT", '"limit" is given 2 times', "GET", limit=["1", "2"])
    refused("INVALID_ARGUMENT", '"offset" must be a whole number', "GET", offset="x")
    refused("INVALID_ARGUMENT", '"where" is not valid JSON', "GET", where="{")
    refused("INVALID_ARGUMENT", '"all" must be true or false', "DELETE", all="yes")
    refused("INVALID_ARGUMENT", '"select" and "columns"', "GET", select="id", columns="id")
    refused("INVALID_ARGUMENT", "takes no body", "DELETE", body={"where": {}})
    refused("INVALID_ARGUMENT", "must be a row", "POST", body="x")
    refused("INVALID_JSON", "needs a body", "POST")
    refused("UNSUPPORTED_MEDIA_TYPE", "application/json", "POST", body={}, headers=(("content-type", "text/plain"),))
    only_rows = DataRoute(table="users", path="/users", operations=("select",))
    refused("FORBIDDEN_OPERATION", '"count"', "GET", route=only_rows, count="exact")


def test_answers() -> None:
    assert respond(asked("GET"), b"[]") == (200, (), b"[]")
    assert respond(asked("GET", count="exact"), b"[]", b"12") == (200, (("x-total-count", "12"),), b"[]")
    assert respond(asked("POST", body={}), b"{}")[0] == 201
    assert respond(asked("DELETE", "7"), b'{"id":7}') == (204, (), b"")
    assert respond(asked("DELETE", "7", returning="id"), b'{"id":7}')[::2] == (200, b'{"id":7}')
    assert respond(asked("DELETE", plan="pro"), b"[1]") == (204, (), b"")
    assert respond(asked("PATCH", body={}, plan="pro"), b"[1]")[::2] == (200, b"[1]")
    for one in (asked("GET", "7"), asked("PATCH", "7", {}), asked("DELETE", "7"), asked("DELETE", "7", returning="id")):
        with pytest.raises(HostError) as caught:
            respond(one, b"null")
        assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)
    assert respond(asked("POST", "/users/query", {"one": True}), b"null")[0] == 200
    assert (sole(b"[]"), sole(b'[{"id":7}]')) == (b"null", b'{"id":7}')
