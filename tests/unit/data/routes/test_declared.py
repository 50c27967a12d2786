from __future__ import annotations

from typing import Any

import pytest

from flux.data.routes.declared import METHODS, operations_of, read_routes
from flux.data.routes.specs import specs
from flux.manifest import DataRoute, FunctionSpec, Limits, Manifest
from flux.master.gateway.route import Router


def test_what_is_not_said_is_read_only_and_asks_for_policies() -> None:
    assert read_routes([{"db": "users"}]) == (
        DataRoute(table="users", path="/users", operations=("select", "count", "aggregate"), policies=True),
    )


def test_all_of_it() -> None:
    entry = {
        **{"db": "users", "path": "/v1/people", "methods": ["DELETE", "GET"], "auth": "none"},
        **{"operations": ["delete", "select"], "columns": ["id", "email"], "policies": False},
    }
    (route,) = read_routes([entry])
    assert route == DataRoute(
        table="users",
        path="/v1/people",
        methods=("GET", "DELETE"),
        auth="none",
        operations=("select", "delete"),
        columns=("id", "email"),
        policies=False,
    )
    assert DataRoute.from_json(specs([route], limits=Limits(), auth="none")["db:users"].to_json()["data"]) == route


def test_an_upsert_needs_what_makes_and_what_changes() -> None:
    assert "upsert" not in operations_of(("GET", "POST"))
    assert operations_of(METHODS) == ("select", "count", "aggregate", "insert", "upsert", "update", "delete")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"db": "users"}, "must be a list of tables"),
        ([{}], '"db" is missing'),
        ([{"db": ""}], r"routes\[0\].db: must be a string"),
        ([{"db": "users", "pth": "/x"}], 'unknown key "pth"; did you mean "path"'),
        ([{"db": "users", "methods": ["PUT"]}], '"PUT" is not one of GET, POST, PATCH, DELETE'),
        ([{"db": "users", "methods": []}], "methods: must be a list of strings that is not empty"),
        ([{"db": "users", "operations": ["delete"]}], '"delete" is not among what methods'),
        ([{"db": "users", "columns": ["a", "a"]}], "columns: names something twice"),
        ([{"db": "users", "policies": "no"}], "policies: must be true or false"),
        ([{"db": "users", "auth": "basic"}], "auth: must be one of none, api_key"),
        ([{"db": "users", "path": "/:id"}], "path: must be a path"),
        ([{"db": "users", "path": "/users/"}], "path: must be a path"),
        ([{"db": "users", "path": "/../x"}], "path: must be a path"),
        ([{"db": "user list"}], 'the name "user list" makes no path'),
        ([{"db": "a"}, {"db": "b", "path": "/a"}], r'routes\[1\].path: "/a" is also that of routes\[0\]'),
    ],
)
def test_what_is_wrong_is_said(entries: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_routes(entries)


def test_as_part_of_the_manifest() -> None:
    routes = read_routes([{"db": "users", "methods": list(METHODS)}, {"db": "users", "path": "/public/users"}])
    made = specs(routes, limits=Limits(wall_ms=7), auth="api_key")
    assert list(made) == ["db:users", "db:users:public/users"]
    spec = made["db:users"]
    assert (spec.runtime, spec.auth, spec.limits.wall_ms, spec.source) == ("data", "api_key", 7, "flux.toml")
    assert spec.version != made["db:users:public/users"].version
    assert FunctionSpec.from_json(spec.to_json()) == spec
    router = Router(Manifest(functions=made))
    for method, path, route in (
        ("GET", "/users", "/users"),
        ("HEAD", "/users/7", "/users/:id"),
        ("POST", "/users/query", "/users/query"),
        ("GET", "/users/query", "/users/:id"),
        ("DELETE", "/users", "/users"),
        ("POST", "/public/users/query", "/public/users/query"),
    ):
        assert router.match(method, path)[0].route == route
