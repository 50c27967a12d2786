"""Asks the server to explain queries: those of a file, or the database calls of a recorded execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flux.data.explain.recorded import query_of
from flux.failure import HostError
from flux.record.hints import Hint

from .errors import CommandFailed

if TYPE_CHECKING:
    from .client import Api
    from .render.text import Json

# Slow calls of one trace that are explained without being asked for: each is a question to Postgres.
MAX_EXPLAINED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """Database calls of one execution that are the same query, but for values; `spans` are their IDs, `first` the first
    of them. `body` is what the server takes, None for what it cannot explain (raw SQL, a record that was cut).
    """

    name: str
    spans: tuple[int, ...]
    first: Json
    body: dict[str, Any] | None


def caller_of(execution: Json) -> dict[str, Any]:
    """Who called, in the words of `POST /flux/api/explain`."""
    request = execution.get("request")
    user = (request.get("user") if isinstance(request, dict) else None) or {}
    found = {"role": user.get("role"), "uid": user.get("id"), "tenant": execution.get("tenant")}
    if user and not found["role"]:
        found["role"] = "authenticated"
    claims = {name: value for name, value in user.items() if name not in ("id", "role")}
    return {
        **{name: value for name, value in found.items() if value is not None},
        **({"claims": claims} if claims else {}),
    }


def recorded(execution: Json) -> list[Recorded]:
    """The database calls of an execution, in their order, each query once."""
    caller = caller_of(execution)
    found: dict[Any, Recorded] = {}
    for span in execution.get("spans") or ():
        if span.get("kind") != "db" or not str(span.get("op") or "").startswith("db."):
            continue
        if span["op"] in ("db.begin", "db.commit", "db.rollback"):
            continue
        asked = query_of(span["op"], span.get("input"))
        body = None if asked is None else {**asked, **caller}
        key = (span.get("name"), _shape(asked)) if asked is not None else ("", span["id"])
        same = found.get(key)
        if same is None:
            found[key] = Recorded(name=str(span.get("name")), spans=(span["id"],), first=span, body=body)
        else:
            found[key] = replace(same, spans=(*same.spans, span["id"]))
    return list(found.values())


def explained(api: Api, calls: Iterable[Recorded], function: object, *, analyze: bool) -> Iterator[dict[str, Any]]:
    """{"call", "spans", "explanation" | "error"} of each."""
    for call in calls:
        item: dict[str, Any] = {"call": call.name, "spans": list(call.spans)}
        if call.body is None:
            item["error"] = "not a query of the query format, or its record was cut; it cannot be explained"
        else:
            try:
                item["explanation"] = ask(api, call.body, function, analyze=analyze)
            except CommandFailed as error:
                item["error"] = error.message
        yield item


def ask(api: Api, body: dict[str, Any], function: object, *, analyze: bool = False) -> dict[str, Any]:
    """`function`: as whose call; one that is not deployed any more has no say."""
    asked = {**body, "analyze": analyze}
    if isinstance(function, str):
        try:
            found: dict[str, Any] = api.post("/explain", {**asked, "function": function})
            return found
        except CommandFailed as error:
            if not any(each.get("path") == "function" for each in error.violations):
                raise
    answer: dict[str, Any] = api.post("/explain", asked)
    return answer


def with_indexes(api: Api, execution: Json, found: Sequence[Hint]) -> list[Hint]:
    """Slow queries with the indexes that they miss. What the server cannot say stays unsaid: a hint is no error."""
    calls = {span: call for call in recorded(execution) for span in call.spans}
    told: dict[int, tuple[Any, ...]] = {}
    hints = []
    for hint in found:
        call = calls.get(hint.spans[0])
        if hint.kind == "slow_query" and call is not None and call.body is not None:
            first = call.spans[0]
            if first not in told and len(told) < MAX_EXPLAINED:
                told[first] = _indexes(api, call.body, execution.get("function"))
            hints.append(replace(hint, indexes=told.get(first, ())))
        else:
            hints.append(hint)
    return hints


def _indexes(api: Api, body: dict[str, Any], function: object) -> tuple[Any, ...]:
    try:
        return tuple(ask(api, body, function)["indexes_missing"])
    except CommandFailed:
        return ()


def _shape(asked: dict[str, Any]) -> Any:
    """Equal for queries that are one statement."""
    from flux.data.query import read

    try:
        return read(asked["query"])[0], tuple(name for name, _ in asked.get("filters", ()))
    except (HostError, KeyError, TypeError, ValueError):
        return repr(asked)
