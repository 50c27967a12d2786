"""`flux.json`, the options of one function.

{"route": "GET /users/:id", "auth": "api_key", "limits": {"wall_ms": 5000}, "retries": 3, "cron": "0 4 * * *"}
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from flux.manifest import Auth, DatabaseUse, Limits, Route

FILE_NAME = "flux.json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "*")
DEFAULT_METHOD = "POST"
MAX_RETRIES = 100  # with exponential back-off the hundredth would be far beyond any use
# Flux answers here itself (SPEC section 1), so a function never could.
RESERVED_PATHS = ("/flux", "/health", "/readiness", "/version", "/metrics")

_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()+,;=@%-]+|:[A-Za-z_][A-Za-z0-9_]*")
_REST = re.compile(r"\*[A-Za-z_][A-Za-z0-9_]*|\*")
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_CRON = re.compile(r"@every \d+(?:ms|s|m|h|d)|@(?:hourly|daily|weekly|monthly|yearly)|\S+(?: +\S+){4}")


class InvalidOptions(ValueError):
    """What is wrong with a flux.json; the message names the key."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """A function's flux.json. What it does not say is None or empty: the project's default holds."""

    routes: tuple[Route, ...] = ()
    auth: Auth | None = None
    runtime: Literal["v8"] = "v8"
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    max_attempts: int | None = None
    allow_http: tuple[str, ...] = ()
    asynchronous: bool = False
    cron: tuple[str, ...] = ()
    db: DatabaseUse = field(default_factory=DatabaseUse)


def read(path: Path) -> Options:
    """The options in this file. Raises InvalidOptions (without the file's name)."""
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidOptions(f"not valid JSON: {error}") from None
    except OSError as error:
        raise InvalidOptions(f"cannot be read: {error.strerror}") from None
    return parse(document)


def parse(document: Any) -> Options:
    """The options in this JSON value. Raises InvalidOptions naming the key and what is allowed there."""
    if not isinstance(document, dict):
        raise InvalidOptions(f"must be an object, is {_kind(document)}")
    for key in document:
        if key not in _PARSERS:
            near = difflib.get_close_matches(key, _PARSERS, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"it takes: {', '.join(_PARSERS)}"
            raise InvalidOptions(f'unknown key "{key}"; {hint}')
    values: dict[str, Any] = {key: _PARSERS[key](value) for key, value in document.items()}
    retries = values.get("retries")
    return Options(
        routes=_routes(values.get("route", ()), values.get("method", ())),
        auth=values.get("auth"),
        runtime=values.get("runtime", "v8"),
        limits=values.get("limits", MappingProxyType({})),
        max_attempts=None if retries is None else retries + 1,
        allow_http=values.get("allow_http", ()),
        asynchronous=values.get("async", False),
        cron=values.get("cron", ()),
        db=values.get("db", DatabaseUse()),
    )


def check_path(path: str, key: str = "route") -> None:
    """Raises InvalidOptions when a function cannot answer at this path."""
    if not path.startswith("/"):
        raise InvalidOptions(f'{key}: "{path}" must start with "/" (such as "GET /users/:id")')
    names: list[str] = []
    segments = path[1:].split("/") if path != "/" else []
    for position, segment in enumerate(segments):
        is_rest = position == len(segments) - 1 and _REST.fullmatch(segment)
        if not is_rest and not _SEGMENT.fullmatch(segment):
            raise InvalidOptions(f'{key}: "{segment}" in "{path}" is not a path segment, ":name" or a final "*rest"')
        if segment[0] in ":*":
            names.append(segment[1:])
    if len(set(names)) < len(names):
        raise InvalidOptions(f'{key}: "{path}" names a parameter twice')
    if segments and f"/{segments[0]}" in RESERVED_PATHS:
        raise InvalidOptions(f'{key}: "/{segments[0]}" is reserved for Flux itself; choose another path')


def _routes(routes: tuple[str, ...], methods: tuple[str, ...]) -> tuple[Route, ...]:
    if methods and not routes:
        raise InvalidOptions('method: needs a "route" beside it')
    made = []
    for route in routes:
        method, blank, path = route.rpartition(" ")
        if blank and methods:
            raise InvalidOptions(f'method: "route" already says {method} ("{route}"); give it in one place')
        if blank and method not in METHODS:
            raise InvalidOptions(f'route: "{method}" is not a method; it is one of {", ".join(METHODS)}')
        check_path(path)
        made += [Route(method=each, path=path) for each in ([method] if blank else methods or (DEFAULT_METHOD,))]
    if len(set(made)) < len(made):
        raise InvalidOptions("route: the same route is given twice")
    return tuple(made)


def _strings(key: str, example: str) -> Callable[[Any], tuple[str, ...]]:
    def parse_strings(value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) and entry for entry in values):
            raise InvalidOptions(f"{key}: must be a string or a list of strings, such as {example}")
        return tuple(values)

    return parse_strings


def _matching(key: str, example: str, pattern: re.Pattern[str]) -> Callable[[Any], tuple[str, ...]]:
    strings = _strings(key, example)

    def parse_matching(value: Any) -> tuple[str, ...]:
        for entry in strings(value):
            if not pattern.fullmatch(entry):
                raise InvalidOptions(f'{key}: "{entry}" is not valid; write it like {example}')
        return strings(value)

    return parse_matching


def _methods(value: Any) -> tuple[str, ...]:
    methods = _strings("method", '"GET"')(value)
    for method in methods:
        if method not in METHODS:
            raise InvalidOptions(f'method: "{method}" is not one of {", ".join(METHODS)}')
    return methods


def _choice(key: str, allowed: tuple[str, ...]) -> Callable[[Any], str]:
    def parse_choice(value: Any) -> str:
        if value not in allowed or not isinstance(value, str):
            raise InvalidOptions(f"{key}: must be {' or '.join(json.dumps(entry) for entry in allowed)}")
        return value

    return parse_choice


def _limits(value: Any) -> Mapping[str, int]:
    known = [limit.name for limit in fields(Limits)]
    if not isinstance(value, dict):
        raise InvalidOptions(f"limits: must be an object with any of: {', '.join(known)}")
    for name, limit in value.items():
        if name not in known:
            raise InvalidOptions(f'limits: unknown key "{name}"; it takes: {", ".join(known)}')
        if type(limit) is not int or limit < 1:
            raise InvalidOptions(f"limits.{name}: must be a whole number above 0")
    return MappingProxyType(value)


def _retries(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_RETRIES:
        raise InvalidOptions(f"retries: must be a whole number from 0 to {MAX_RETRIES}")
    return value


def _asynchronous(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOptions("async: must be true or false")
    return value


def _database(value: Any) -> DatabaseUse:
    if not isinstance(value, dict):
        raise InvalidOptions('db: must be an object, such as {"role": "service"} or {"sql": true}')
    for name in value:
        if name not in ("sql", "role"):
            raise InvalidOptions(f'db: unknown key "{name}"; it takes: sql, role')
    if not isinstance(value.get("sql", False), bool):
        raise InvalidOptions("db.sql: must be true or false")
    role = value.get("role", "any")
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise InvalidOptions("db.role: must be a role's name: a letter, then letters, digits, _ or - (63 at most)")
    return DatabaseUse(sql=value.get("sql"), role=value.get("role"))


def _kind(value: Any) -> str:
    return {list: "a list", str: "a string", type(None): "null", bool: "a boolean"}.get(type(value), "a number")


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "route": _strings("route", '"GET /users/:id"'),
    "method": _methods,
    "auth": _choice("auth", get_args(Auth)),
    "runtime": _choice("runtime", ("v8",)),
    "limits": _limits,
    "retries": _retries,
    "allow_http": _matching("allow_http", '"api.example.com" or "10.0.0.5:8080"', _HOST),
    "async": _asynchronous,
    "db": _database,
    "cron": _matching("cron", '"0 4 * * *" or "@every 5m"', _CRON),
}
