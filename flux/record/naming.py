"""How a host call is named in a trace: `(op, args) -> (kind, name)`. Names are short, stable and free of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

Args = Mapping[str, Any]

SQL_NAME_LENGTH = 48  # a statement's first words tell which it is; the whole text is in the span's input

_TABLE_VERBS = {
    "db.find": "select",
    "db.findOne": "select",
    "db.findById": "select",
    "db.insert": "insert",
    "db.insertMany": "insert",
    "db.update": "update",
    "db.upsert": "upsert",
    "db.delete": "delete",
    "db.count": "count",
    "db.aggregate": "aggregate",
}


def _sql(args: Args) -> str:
    text = " ".join(str(args.get("text", "")).split())
    return text if len(text) <= SQL_NAME_LENGTH else text[: SQL_NAME_LENGTH - 1] + "…"


def _fetch(args: Args) -> str:
    url = urlsplit(str(args.get("url", "")))
    return f"{args.get('method', 'GET')} {url.hostname or ''}{url.path}"


def _query(args: Args) -> str:
    query = args.get("query")
    found = query if isinstance(query, Mapping) else {}
    return f"{found.get('operation', 'select')}({found.get('table')})"


_NAMES: dict[str, Callable[[Args], tuple[str, str]]] = {
    "db.query": lambda args: ("db", f"db:{_query(args)}"),
    "db.sql": lambda args: ("db", f"db:sql({_sql(args)})"),
    "queue.push": lambda args: ("queue", f"queue:push({args.get('function')})"),
    "fetch": lambda args: ("outbound", f"fetch({_fetch(args)})"),
    "secrets.get": lambda args: ("secrets", f"secrets:get({args.get('name')})"),
    "invoke": lambda args: ("invoke", f"invoke({args.get('function')})"),
    "timer": lambda args: ("time", f"timer({args.get('ms')}ms)"),
    "sleep": lambda args: ("time", f"sleep({args.get('ms')}ms)"),
}


def name(op: str, args: Args) -> tuple[str, str]:
    """Kind and name of the span of one host call."""
    verb = _TABLE_VERBS.get(op)
    if verb is not None:
        return "db", f"db:{verb}({args.get('table')})"
    named = _NAMES.get(op)
    if named is not None:
        return named(args)
    kind, _, rest = op.partition(".")
    return kind, f"{kind}:{rest}" if rest else kind
