"""The query of a host call, from its record. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

# What `ctx.db`'s calls leave out of a document because their name says it.
_FIXED: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "db.find": {"operation": "select"},
        "db.findOne": {"operation": "select", "one": True},
        "db.findById": {"operation": "select", "one": True},
        "db.insert": {"operation": "insert"},
        "db.insertMany": {"operation": "insert"},
        "db.update": {"operation": "update"},
        "db.upsert": {"operation": "upsert"},
        "db.delete": {"operation": "delete"},
        "db.count": {"operation": "count"},
        "db.aggregate": {"operation": "aggregate"},
    }
)
# Stands in a record for a value that was larger than is kept.
_CUT: Final = "$truncated"


def query_of(op: str, args: Any) -> dict[str, Any] | None:
    """{"query", "key"?, "filters"?} as `POST /flux/api/explain` takes it; None for what is no query, or not whole."""
    if not isinstance(args, Mapping) or _is_cut(args):
        return None
    if op == "db.query":
        return {name: args[name] for name in ("query", "key", "filters") if name in args}
    fixed = _FIXED.get(op)
    if fixed is None:
        return None
    document = {name: value for name, value in args.items() if name not in ("tx", "id")}
    found: dict[str, Any] = {"query": {**document, **fixed}}
    if op == "db.findById":
        found["key"] = args.get("id")
    return found


def _is_cut(value: Any) -> bool:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if _CUT in part:
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False
