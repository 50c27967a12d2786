"""Step 2: method and path to a function.

Theory of operation. A router is compiled once per deploy and never changed; the gateway swaps the reference. Paths
without parameters are looked up whole in a dictionary. Everything else walks a trie of decoded segments, in which, at
each segment, plain text goes before `:name`, and `:name` before `*rest`. A branch that has the path but not the method
does not end the search: `GET /users/me` and `POST /users/:id` answer `POST /users/me`. Only when no branch has the
method, the methods seen on the way make the 405's Allow. A trie is a tree, so each node is looked at once at most.

One slash at the end of a path is ignored unless a route names it. HEAD is answered by GET where no route names HEAD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from flux.errors import Conflict, MethodNotAllowed, RouteNotFound
from flux.manifest import FunctionSpec, Manifest, Route
from flux.master.gateway.path import segments

ANY_METHOD = "*"
# Served by the master itself; a function there would never be reached.
RESERVED = frozenset(("flux", "health", "readiness", "version", "metrics"))

_METHOD = re.compile(r"[A-Z]+|\*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile(r"[%?#\s]")
_NO_PARAMS: dict[str, str] = {}


class Target(NamedTuple):
    """Where a route leads: the function, and the route as declared (`/users/:id`)."""

    spec: FunctionSpec
    route: str
    names: tuple[str, ...]


class _Node:
    __slots__ = ("param", "rest", "targets", "text")

    def __init__(self) -> None:
        self.text: dict[str, _Node] = {}
        self.param: _Node | None = None
        self.targets: dict[str, Target] = {}
        self.rest: dict[str, Target] = {}


class Router:
    """All routes of one manifest. Raises Conflict for routes that collide, are reserved or not well-formed."""

    __slots__ = ("_root", "_whole")

    def __init__(self, manifest: Manifest) -> None:
        self._root = _Node()
        self._whole: dict[str, dict[str, Target]] = {}
        for spec in manifest.functions.values():
            for route in spec.routes:
                self._add(spec, route)

    def match(self, method: str, path: str) -> tuple[Target, dict[str, str]]:
        """The target and its parameters, decoded. Do not change the returned dictionary.

        Raises RouteNotFound, MethodNotAllowed (with an Allow header) or RequestError for a path that is malformed.
        """
        targets = self._whole.get(path)
        if targets is not None:
            target = targets.get(method)
            if target is not None:
                return target, _NO_PARAMS
        parts = segments(path)
        found = list(self._candidates(parts))
        for targets, values in found:
            target = _by_method(targets, method)
            if target is not None:
                return target, dict(zip(target.names, values, strict=True))
        if not found:
            raise _nothing_at(path)
        allowed = allow([name for targets, _ in found for name in targets])
        raise MethodNotAllowed(f"This path takes {allowed}, not {method}.", headers={"Allow": allowed})

    def methods(self, path: str) -> list[str]:
        """The methods that routes name for this path. Raises RouteNotFound, or RequestError for a malformed path."""
        found = [name for targets, _ in self._candidates(segments(path)) for name in targets]
        if not found:
            raise _nothing_at(path)
        return found

    def _candidates(self, parts: list[str]) -> Iterator[tuple[dict[str, Target], list[str]]]:
        yield from _walk(self._root, parts, 0, [])
        if len(parts) > 1 and not parts[-1]:
            yield from _walk(self._root, parts[:-1], 0, [])

    def _add(self, spec: FunctionSpec, route: Route) -> None:
        parts, names = _parsed(spec, route)
        node = self._root
        for part in parts:
            if part.startswith(":"):
                node.param = node = node.param or _Node()
            elif part.startswith("*"):
                break
            else:
                node = node.text.setdefault(part, _Node())
        targets = node.rest if parts[-1].startswith("*") else node.targets
        _put(targets, route.method, Target(spec, route.path, names))
        if not names and route.path.isascii():
            self._whole[route.path] = _expanded(targets)


def _nothing_at(path: str) -> RouteNotFound:
    return RouteNotFound(f"No function answers at {path[:200].encode('ascii', 'replace').decode()}.")


def allow(methods: list[str]) -> str:
    """The value of an Allow header: HEAD goes with GET, and OPTIONS is always answered."""
    names = set(methods) | {"OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))


def _walk(node: _Node, parts: list[str], at: int, values: list[str]) -> Iterator[tuple[dict[str, Target], list[str]]]:
    if at == len(parts):
        if node.targets:
            yield node.targets, values
        return
    part = parts[at]
    below = node.text.get(part)
    if below is not None:
        yield from _walk(below, parts, at + 1, values)
    if node.param is not None and part:
        yield from _walk(node.param, parts, at + 1, [*values, part])
    if node.rest:
        yield node.rest, [*values, "/".join(parts[at:])]


def _by_method(targets: dict[str, Target], method: str) -> Target | None:
    target = targets.get(method)
    if target is None and method == "HEAD":
        target = targets.get("GET")
    return target or targets.get(ANY_METHOD)


def _expanded(targets: dict[str, Target]) -> dict[str, Target]:
    """With HEAD where GET is, so that one look-up decides. Any-method routes take the trie."""
    return {"HEAD": targets["GET"], **targets} if "GET" in targets else dict(targets)


def _parsed(spec: FunctionSpec, route: Route) -> tuple[list[str], tuple[str, ...]]:
    where = f"Route {route.method} {route.path} of function {spec.name}"
    if not _METHOD.fullmatch(route.method):
        raise Conflict(f"{where}: the method must be upper case, or '*' for any.")
    if not route.path.startswith("/"):
        raise Conflict(f"{where}: the path must start with '/'.")
    parts = route.path[1:].split("/")
    if parts[0] in RESERVED:
        raise Conflict(f"{where}: /{parts[0]} belongs to Flux itself.")
    marked = [part for part in parts if part[:1] in (":", "*")]
    names = tuple(part[1:] for part in marked)
    if any(not _NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
        raise Conflict(f"{where}: parameters are ':name', each name once.")
    if any(part.startswith("*") for part in parts[:-1]):
        raise Conflict(f"{where}: '*rest' may only be the last segment.")
    if any(not part for part in parts[:-1]) or not {".", ".."}.isdisjoint(parts):
        raise Conflict(f"{where}: the path holds an empty, '.' or '..' segment.")
    if _ESCAPED.search(route.path):
        raise Conflict(f"{where}: write the path decoded, without '%', '?', '#' and spaces.")
    return parts, names


def _put(targets: dict[str, Target], method: str, target: Target) -> None:
    other = targets.get(method)
    if other is not None:
        raise Conflict(
            f"Functions {other.spec.name} and {target.spec.name} both claim {method} {target.route}"
            + (f" (as {other.route})." if other.route != target.route else ".")
        )
    targets[method] = target
