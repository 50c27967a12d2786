"""The router, also against a slow model that tries every route."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import Conflict, MethodNotAllowed, RequestError, RouteNotFound
from flux.master.gateway.route import Router
from tests.unit.master.gateway.specs import function, manifest


def router(*routes: str) -> Router:
    """Each route belongs to a function of the same name."""
    return Router(manifest(*(function(route, route) for route in routes)))


def found(of: Router, method: str, path: str) -> tuple[str, dict[str, str]]:
    target, params = of.match(method, path)
    return target.spec.name, params


REST = router(
    "GET /",
    "GET /users",
    "POST /users",
    "GET /users/me",
    "GET /users/:id",
    "POST /users/:id",
    "GET /users/:user/posts/:post",
    "GET /files/*path",
    "* /any",
    "PUT /any",
    "GET /slash/",
    "HEAD /head",
    "GET /head",
    "GET /café",
)


@pytest.mark.parametrize(
    ("method", "path", "route", "params"),
    [
        ("GET", "/", "GET /", {}),
        ("GET", "/users", "GET /users", {}),
        ("GET", "/users/", "GET /users", {}),
        ("GET", "/us%65rs", "GET /users", {}),
        ("GET", "/users/me", "GET /users/me", {}),
        ("GET", "/users/me2", "GET /users/:id", {"id": "me2"}),
        ("POST", "/users/me", "POST /users/:id", {"id": "me"}),
        ("GET", "/users/7/", "GET /users/:id", {"id": "7"}),
        ("GET", "/users/a%2Fb", "GET /users/:id", {"id": "a/b"}),
        ("GET", "/users/%E2%9C%93", "GET /users/:id", {"id": "✓"}),
        ("GET", "/users/7/posts/8", "GET /users/:user/posts/:post", {"user": "7", "post": "8"}),
        ("GET", "/users/me/posts/8", "GET /users/:user/posts/:post", {"user": "me", "post": "8"}),
        ("GET", "/files/", "GET /files/*path", {"path": ""}),
        ("GET", "/files/a/b%20c/", "GET /files/*path", {"path": "a/b c/"}),
        ("DELETE", "/any", "* /any", {}),
        ("PUT", "/any", "PUT /any", {}),
        ("GET", "/slash/", "GET /slash/", {}),
        ("HEAD", "/users", "GET /users", {}),
        ("HEAD", "/users/7", "GET /users/:id", {"id": "7"}),
        ("HEAD", "/head", "HEAD /head", {}),
        ("GET", "/caf%C3%A9", "GET /café", {}),
    ],
)
def test_routes(method: str, path: str, route: str, params: dict[str, str]) -> None:
    assert found(REST, method, path) == (route, params)


@pytest.mark.parametrize(
    "path", ["/none", "/users/7/posts", "/users//posts/8", "/files", "/slash", "//users", "/Users", "/users/7/8"]
)
def test_nothing_there(path: str) -> None:
    with pytest.raises(RouteNotFound):
        REST.match("GET", path)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/users", "GET, HEAD, OPTIONS, POST"),
        ("/users/me", "GET, HEAD, OPTIONS, POST"),
        ("/files/x", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_405_with_allow(path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        REST.match("DELETE", path)
    assert caught.value.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/users/%zz", "/users/%ff", "/users/..", "/users/%2e%2e", "/users/a%00b", "*"])
def test_malformed_paths_are_400(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        REST.match("GET", path)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "routes",
    [
        ("GET /a", "GET /a"),
        ("GET /a/:x", "GET /a/:y"),
        ("GET /a/*x", "GET /a/*y"),
        ("GET /flux",),
        ("GET /flux/api/x",),
        ("GET /health",),
        ("GET a",),
        ("get /a",),
        ("GET /*rest/x",),
        ("GET /:a/:a",),
        ("GET /:",),
        ("GET /:a-b",),
        ("GET /a//b",),
        ("GET /a/../b",),
        ("GET /a%20b",),
        ("GET /a?b",),
    ],
)
def test_routes_that_cannot_be(routes: tuple[str, ...]) -> None:
    functions = [function(f"f{number}", route) for number, route in enumerate(routes)]
    with pytest.raises(Conflict):
        Router(manifest(*functions))


def test_a_conflict_names_both() -> None:
    with pytest.raises(Conflict, match=r"Functions one and two both claim GET /a/:y \(as /a/:x\)"):
        Router(manifest(function("one", "GET /a/:x"), function("two", "GET /a/:y")))


def test_flux_like_names_are_free() -> None:
    assert found(router("GET /fluxus", "GET /x/flux"), "GET", "/fluxus")[0] == "GET /fluxus"


names = st.sampled_from(["a", "b", "é", "x y"])
patterns = st.lists(st.one_of(names, st.sampled_from([":p", ":q"])), min_size=1, max_size=4, unique=True)


def fits(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(
        want.startswith(":") or want == part for want, part in zip(pattern, parts, strict=True)
    )


@given(st.lists(patterns, min_size=1, max_size=8), st.lists(names, min_size=1, max_size=4))
def test_finds_what_trying_every_route_finds(declared: list[list[str]], parts: list[str]) -> None:
    shapes = {tuple(":" if part.startswith(":") else part for part in pattern): pattern for pattern in declared}
    usable = [pattern for pattern in shapes.values() if not any(" " in part for part in pattern)]
    of = router(*(f"GET /{'/'.join(pattern)}" for pattern in usable))
    fitting = [pattern for pattern in usable if fits(pattern, parts)]
    path = "/" + "/".join(quote(part) for part in parts)
    if not fitting:
        with pytest.raises(RouteNotFound):
            of.match("GET", path)
        return
    # Text before parameters, decided at the first segment where two candidates differ.
    best = min(fitting, key=lambda pattern: [part.startswith(":") for part in pattern])
    route, params = found(of, "GET", path)
    assert route == f"GET /{'/'.join(best)}"
    assert params == {want[1:]: part for want, part in zip(best, parts, strict=True) if want.startswith(":")}
