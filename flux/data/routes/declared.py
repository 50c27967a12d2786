"""`[[routes]]` of flux.toml as values. Pure; raises ValueError naming the entry and the key.

[[routes]]
db = "users"
path = "/users"
methods = ["GET", "POST"]
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from flux.data.query.format import OPERATIONS
from flux.manifest import Auth, DataRoute

METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
# What each method does; an upsert both makes and changes rows.
OPERATIONS_OF: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "GET": ("select", "count", "aggregate"),
        "POST": ("insert",),
        "PATCH": ("update",),
        "DELETE": ("delete",),
    }
)
UPSERT: Final = "upsert"
_UPSERTING: Final = frozenset(("POST", "PATCH"))

# A segment without escapes and without the gateway's ":name" and "*rest": the route adds its own ":id".
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def read_routes(entries: Any) -> tuple[DataRoute, ...]:
    """`entries` as TOML has them. Raises ValueError with what is expected instead."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('must be a list of tables: [[routes]], each with db = "<table>"')
    routes = [_route(entry, f"routes[{number}]") for number, entry in enumerate(entries)]
    paths: dict[str, int] = {}
    for number, route in enumerate(routes):
        if route.path in paths:
            raise ValueError(f'routes[{number}].path: "{route.path}" is also that of routes[{paths[route.path]}]')
        paths[route.path] = number
    return tuple(routes)


def operations_of(methods: tuple[str, ...]) -> tuple[str, ...]:
    """What a route with these methods may do, in the order of the query format."""
    allowed = {operation for method in methods for operation in OPERATIONS_OF[method]}
    if _UPSERTING.issubset(methods):
        allowed.add(UPSERT)
    return tuple(operation.name for operation in OPERATIONS if operation.name in allowed)


def _route(entry: Mapping[str, Any], where: str) -> DataRoute:
    for key in entry:
        if key not in _READERS:
            near = difflib.get_close_matches(key, _READERS, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"it takes: {', '.join(_READERS)}"
            raise ValueError(f'{where}: unknown key "{key}"; {hint}')
    if "db" not in entry:
        raise ValueError(f'{where}: "db" is missing, the name of a table')
    values = {key: _READERS[key](value, f"{where}.{key}") for key, value in entry.items()}
    methods: tuple[str, ...] = values.get("methods", ("GET",))
    return DataRoute(
        table=values["db"],
        path=values.get("path") or _default_path(values["db"], where),
        methods=methods,
        operations=_operations(values.get("operations"), methods, f"{where}.operations"),
        columns=values.get("columns"),
        policies=values.get("policies", True),
        auth=values.get("auth"),
    )


def _default_path(table: str, where: str) -> str:
    path = f"/{table}"
    if not _PATH.fullmatch(path):
        raise ValueError(f'{where}: the name "{table}" makes no path; give it a "path"')
    return path


def _operations(named: tuple[str, ...] | None, methods: tuple[str, ...], where: str) -> tuple[str, ...]:
    allowed = operations_of(methods)
    for operation in named or ():
        if operation not in allowed:
            raise ValueError(
                f'{where}: "{operation}" is not among what methods = {list(methods)} allow: {", ".join(allowed)}'
            )
    return allowed if named is None else tuple(operation for operation in allowed if operation in named)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: must be a string that is not empty")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) and entry for entry in value):
        raise ValueError(f"{where}: must be a list of strings that is not empty")
    if len(set(value)) < len(value):
        raise ValueError(f"{where}: names something twice")
    return tuple(value)


def _path(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError(
            f'{where}: must be a path such as "/users": letters, digits and . _ ~ - between slashes, '
            "no parameters and no slash at the end"
        )
    return value


def _methods(value: Any, where: str) -> tuple[str, ...]:
    for method in _texts(value, where):
        if method not in METHODS:
            raise ValueError(f'{where}: "{method}" is not one of {", ".join(METHODS)}')
    return tuple(method for method in METHODS if method in value)


def _auth(value: Any, where: str) -> str:
    if value not in get_args(Auth):
        raise ValueError(f"{where}: must be one of {', '.join(get_args(Auth))}")
    return str(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}: must be true or false")
    return value


_READERS: Mapping[str, Callable[[Any, str], Any]] = MappingProxyType(
    {
        "db": _text,
        "path": _path,
        "methods": _methods,
        "auth": _auth,
        "operations": _texts,
        "columns": _texts,
        "policies": _flag,
    }
)
