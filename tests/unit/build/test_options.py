from __future__ import annotations

from typing import Any

import pytest

from flux.build.options import InvalidOptions, Options, check_path, parse
from flux.manifest import Route


def test_everything_at_once() -> None:
    options = parse(
        {
            "route": ["GET /users/:id", "/users"],
            "auth": "api_key",
            "runtime": "v8",
            "limits": {"wall_ms": 5000, "heap_bytes": 1 << 26},
            "retries": 3,
            "allow_http": ["api.example.com", "10.0.0.5:8080"],
            "async": True,
            "cron": "0 4 * * *",
        }
    )
    assert options == Options(
        routes=(Route(method="GET", path="/users/:id"), Route(method="POST", path="/users")),
        auth="api_key",
        limits={"wall_ms": 5000, "heap_bytes": 1 << 26},
        max_attempts=4,
        allow_http=("api.example.com", "10.0.0.5:8080"),
        asynchronous=True,
        cron=("0 4 * * *",),
    )


def test_nothing_said() -> None:
    assert parse({}) == Options()


def test_method_beside_route() -> None:
    options = parse({"route": "/files/*path", "method": ["GET", "HEAD"]})
    assert options.routes == (Route(method="GET", path="/files/*path"), Route(method="HEAD", path="/files/*path"))


@pytest.mark.parametrize("cron", ["* * * * *", "@every 5m", "@daily", ["0 4 * * 1-5", "30 6 1 * *"]])
def test_cron(cron: Any) -> None:
    assert parse({"cron": cron}).cron == tuple([cron] if isinstance(cron, str) else cron)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object, is a list"),
        ({"rout": "/x"}, 'unknown key "rout"; did you mean "route"?'),
        ({"zzz": 1}, 'unknown key "zzz"; it takes: route, method, auth'),
        ({"route": 5}, "route: must be a string or a list of strings"),
        ({"route": ["GET /x", ""]}, "route: must be a string or a list of strings"),
        ({"route": "FETCH /x"}, 'route: "FETCH" is not a method'),
        ({"route": "get /x"}, 'route: "get" is not a method'),
        ({"route": "users"}, 'route: "users" must start with "/"'),
        ({"route": "/a//b"}, 'route: "" in "/a//b" is not a path segment'),
        ({"route": "/*rest/b"}, 'route: "*rest" in "/*rest/b" is not a path segment'),
        ({"route": "/:id/:id"}, 'route: "/:id/:id" names a parameter twice'),
        ({"route": "/flux/api"}, 'route: "/flux" is reserved'),
        ({"route": "GET /health"}, 'route: "/health" is reserved'),
        ({"route": ["GET /x", "GET /x"]}, "route: the same route is given twice"),
        ({"method": "GET"}, 'method: needs a "route" beside it'),
        ({"method": "TRACE", "route": "/x"}, 'method: "TRACE" is not one of'),
        ({"method": "GET", "route": "POST /x"}, 'method: "route" already says POST'),
        ({"auth": "jwt"}, 'auth: must be "none" or "api_key"'),
        ({"auth": ["none"]}, 'auth: must be "none" or "api_key"'),
        ({"runtime": "wasm"}, 'runtime: must be "v8"'),
        ({"limits": 5}, "limits: must be an object with any of: wall_ms"),
        ({"limits": {"wall": 5}}, 'limits: unknown key "wall"; it takes: wall_ms'),
        ({"limits": {"wall_ms": "5"}}, "limits.wall_ms: must be a whole number above 0"),
        ({"limits": {"wall_ms": True}}, "limits.wall_ms: must be a whole number above 0"),
        ({"limits": {"wall_ms": 0}}, "limits.wall_ms: must be a whole number above 0"),
        ({"retries": -1}, "retries: must be a whole number from 0 to 100"),
        ({"retries": 1.5}, "retries: must be a whole number from 0 to 100"),
        ({"async": "yes"}, "async: must be true or false"),
        ({"allow_http": ["http://x"]}, 'allow_http: "http://x" is not valid'),
        ({"cron": "every day"}, 'cron: "every day" is not valid'),
    ],
)
def test_mistakes_name_the_key(document: Any, message: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        parse(document)
    assert message in str(raised.value)


@pytest.mark.parametrize("path", ["/", "/a/:b/c", "/*", "/a/*rest", "/a.b/~c-d_e", "/%20"])
def test_paths_that_are_fine(path: str) -> None:
    check_path(path)


def test_database_use() -> None:
    options = parse({"db": {"role": "service", "sql": True}})
    assert (options.db.role, options.db.sql) == ("service", True)
    assert parse({}).db.sql is None


@pytest.mark.parametrize("value", [[], {"sql": 1}, {"role": ""}, {"role": "a b"}, {"role": None}, {"rôle": "x"}])
def test_wrong_database_use(value: Any) -> None:
    with pytest.raises(InvalidOptions, match="db"):
        parse({"db": value})
