"""Which writes of an execution were undone, told from its spans. Pure.

A rolled back write leaves no mutation, but its span stays. A span is undone when its transaction, or one around it, did
not commit. Not said of a write that failed by itself, nor when nobody can know: the connection was lost during the
commit, the worker died in it, or the span's input was too large to be recorded (it named the transaction).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Literal

Span = Mapping[str, Any]
Outcome = Literal["committed", "undone", "unknown"]

_WRITES = frozenset(
    ("db.insert", "db.insertMany", "db.update", "db.updateMany", "db.upsert", "db.delete", "queue.push", "event.emit")
)
_WRITING_QUERIES = frozenset(("insert", "update", "upsert", "delete"))
_READING_SQL = frozenset(("SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN"))
# After these errors of a commit nobody knows whether Postgres had made it.
_LOST = frozenset(("DATABASE_UNAVAILABLE", "QUERY_TIMEOUT", "EXECUTION_ENDED"))

_DECODER = JSONDecoder()


@dataclass(slots=True)
class _Transaction:
    outer: int | None
    outcome: Outcome = "undone"


def rolled_back(spans: Iterable[Span]) -> set[int]:
    """IDs of the spans whose writes were rolled back; `spans` as `GET /flux/api/executions/{id}` gives them."""
    transactions: dict[int, _Transaction] = {}
    writes: list[tuple[int, int]] = []
    for span in spans:
        op, args = span.get("op"), span.get("input")
        if not isinstance(args, Mapping):
            continue
        if op == "db.begin":
            number = _begun(span)
            if number is not None:
                transactions[number] = _Transaction(_number(args))
        elif op == "db.commit":
            transaction = transactions.get(_number(args) or 0)
            if transaction is not None and transaction.outcome != "committed":
                transaction.outcome = _outcome(span)
        elif span.get("status") != "error" and _writes(op, args):
            number = _number(args)
            if number is not None:
                writes.append((span["id"], number))
    return {id_ for id_, number in writes if _undone(number, transactions)}


def marked(spans: str, ids: Iterable[int]) -> str:
    """The spans' JSON text with `"rolled_back":true` in the attributes of `ids`; all else as it was recorded."""
    wanted = set(ids)
    if not wanted:
        return spans
    parts: list[str] = []
    copied, at = 0, spans.index("[") + 1
    while True:
        while spans[at] in " \t\r\n,":
            at += 1
        if spans[at] == "]":
            return "".join((*parts, spans[copied:]))
        span, end = _DECODER.raw_decode(spans, at)
        if span.get("id") in wanted:
            # What follows the attributes (flux/record/journal.py) is the last of its name in the span.
            close = spans.rindex(',"settled":', at, end) - 1
            comma = "" if not span["attributes"] else ","
            parts += [spans[copied:close], comma, '"rolled_back":true']
            copied = close
        at = end


def _begun(span: Span) -> int | None:
    output = span.get("output")
    number = output.get("tx") if isinstance(output, Mapping) and span.get("status") == "ok" else None
    return number if isinstance(number, int) else None


def _number(args: Mapping[str, Any]) -> int | None:
    number = args.get("tx")
    return number if isinstance(number, int) else None


def _outcome(commit: Span) -> Outcome:
    if commit.get("status") == "ok":
        return "committed"
    output = commit.get("output")
    code = output.get("code") if isinstance(output, Mapping) else None
    return "unknown" if commit.get("status") == "open" or code in _LOST else "undone"


def _undone(number: int, transactions: Mapping[int, _Transaction]) -> bool:
    """Whether the transaction or one around it was undone. One that never began is none of ours."""
    transaction = transactions.get(number)
    while transaction is not None:
        if transaction.outcome == "undone":
            return True
        transaction = transactions.get(transaction.outer) if transaction.outer is not None else None
    return False


def _writes(op: Any, args: Mapping[str, Any]) -> bool:
    if op == "db.sql":
        words: Sequence[str] = str(args.get("text", "")).lstrip("( \t\r\n").split(None, 1)
        return bool(words) and words[0].upper() not in _READING_SQL
    if op == "db.query":
        query = args.get("query", args)
        return isinstance(query, Mapping) and query.get("operation") in _WRITING_QUERIES
    return op in _WRITES
