"""What bodies of requests have in common: violations, and a caller as {"role", "uid", "tenant", "claims"}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from flux.data.policy.document import ROLE
from flux.data.policy.model import ANONYMOUS, Caller

NUL = "has the character U+0000, which no text in Postgres holds"
CALLER_KEYS = ("role", "uid", "tenant", "claims")


def violation(path: str, message: str) -> dict[str, str]:
    return {"path": path, "message": message, "code": "INVALID_VALUE"}


def unknown(body: Iterable[str], known: tuple[str, ...]) -> list[dict[str, str]]:
    """A violation for each key that is not known."""
    return [violation(key, f"unknown; known are {', '.join(known)}") for key in sorted(set(body) - {*known})]


def holds_nul(value: Any) -> bool:
    """Whether a text in this JSON value has one; a backslash before "u0000" is none that JSON wrote for it."""
    return b"\\u0000" in orjson.dumps(value).replace(b"\\\\", b"")


def read_caller(body: Mapping[str, Any]) -> tuple[Caller, list[dict[str, str]]]:
    """Who a body says is calling, nobody in particular where it says nothing; and what is wrong with that."""
    role, claims = body.get("role") or ANONYMOUS, body.get("claims")
    claims = {} if claims is None else claims
    named = {key: body.get(key) for key in ("uid", "tenant")}
    problems = [
        *([] if isinstance(role, str) and ROLE.fullmatch(role) else [violation("role", "must be a role's name")]),
        *(violation(key, "must be text") for key, value in named.items() if not isinstance(value, str | None)),
        *([] if isinstance(claims, dict) else [violation("claims", "must be an object")]),
        *(violation(key, NUL) for key, value in {**named, "claims": claims}.items() if holds_nul(value)),
    ]
    return Caller(role=role, uid=named["uid"], tenant=named["tenant"], claims=claims), problems
