"""What becomes of a query: policies, SQL, guard, Postgres' plan, and indexes that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from flux.data.compiler import Plan
from flux.data.engine import Engine
from flux.data.explain import described
from flux.data.explain.access import accesses
from flux.data.explain.missing import missing
from flux.data.guard import score
from flux.data.policy.model import Caller
from flux.data.query import parse
from flux.data.routes.engine import RouteEngine
from flux.data.routes.resolve import resolve
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.errors import ValidationFailed
from flux.manifest import FunctionSpec
from flux.master.api.bodies import CALLER_KEYS, read_caller, unknown, violation
from flux.master.api.declare import Call, Endpoint
from flux.master.api.shapes import Explained, ExplainedParameter, ExplainedPolicy, ExplainWanted, MissingIndex
from flux.master.http.mounts import ApiResponse, json_response
from flux.store import explain as store
from flux.store import policies

_KEYS = ("query", "key", "filters", "function", *CALLER_KEYS, "analyze")
_NO_IDENTITY = "{}"  # of a writing statement, which is planned only


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    query: dict[str, Any]
    key: Any
    filters: list[list[str]]
    caller: Caller
    function: FunctionSpec | None
    analyze: bool


async def explain(call: Call) -> ApiResponse:
    asked = _asked(call)
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        loaded = (await policies.load(conn, schema)).policies
        engine = Engine(schema, loaded)
        if asked.function is not None and asked.function.data is not None:
            engine = RouteEngine(engine, asked.function.data)
        document = _document(asked, schema)
        plan, values = engine.plan(document, asked.caller.role)
        parameters = plan.parameters(values, asked.caller, _NO_IDENTITY if plan.writes else None)
        analyze = asked.analyze and not plan.writes
        node = await store.explain(conn, plan.text, parameters, analyze=analyze)
    query, _ = parse(document)
    guard = engine.guard
    indexes = missing(node, accesses(query, schema, engine.policies, asked.caller.role))
    return json_response(
        Explained(
            operation=str(document.get("operation", "select")),
            writes=plan.writes,
            tables=list(plan.tables),
            policies=cast(list[ExplainedPolicy], [asdict(each) for each in described.policies(plan)]),
            sql=plan.text,
            parameters=cast(
                list[ExplainedParameter], [asdict(each) for each in described.parameters(plan, parameters)]
            ),
            guard={"score": score(query, values, guard, schema), "limits": asdict(guard)},
            plan={"cost": node.cost, "rows": node.rows, "ms": node.ms, "root": node.to_json()},
            indexes_missing=cast(list[MissingIndex], [asdict(each) for each in indexes]),
            warnings=_warnings(asked, plan, schema, loaded.tables),
        )
    )


def _document(asked: _Asked, schema: Schema) -> dict[str, Any]:
    """The query with the row and the filters that a host call gave beside it."""
    if asked.key is None or isinstance(asked.key, str):
        found: dict[str, Any] = resolve(asked.query, asked.key, asked.filters, schema)
        return found
    table = schema.table(str(asked.query.get("table")))
    key = asked.key if isinstance(asked.key, dict) else dict.fromkeys(table.key[:1], asked.key)
    return {**asked.query, "where": {name: {"eq": value} for name, value in key.items()}}


def _warnings(asked: _Asked, plan: Plan, schema: Schema, restricted: Mapping[str, Any]) -> list[str]:
    found = [
        f"Table {name} has no policy: every caller may do everything with it."
        for name in plan.tables
        if name not in restricted
    ]
    if plan.veiled:
        found.append(
            "Whether a row may be written is known only when keys have been looked at, so a refusal and a unique key "
            "that is taken are both answered with FORBIDDEN_ROW. Flux tells them apart where it may make triggers on "
            "the table."
        )
    if asked.analyze and plan.writes:
        found.append("A query that writes is planned only, not carried out; so nothing was measured.")
    if unknown := [name for name in plan.tables if schema.table(name).rows <= 0]:
        found.append(
            f"Postgres has no figures of {', '.join(unknown)} (empty, or never analyzed): the plan may be another one "
            "after ANALYZE."
        )
    return found


def _asked(call: Call) -> _Asked:
    """Raises ValidationFailed naming each key that is wrong."""
    body = call.request.json()
    if not isinstance(body, dict) or not isinstance(body.get("query"), dict):
        raise ValidationFailed(
            'Send an object such as {"query": {"table": "users", "where": {"id": 1}}, "role": "anon"}.'
        )
    name, filters, analyze = body.get("function"), body.get("filters") or [], body.get("analyze") or False
    function = call.services.manifest().functions.get(name) if isinstance(name, str) else None
    caller, problems = read_caller(body)
    problems += [
        *unknown(body, _KEYS),
        *([] if isinstance(analyze, bool) else [violation("analyze", "must be true or false")]),
        *([] if _are_pairs(filters) else [violation("filters", "must be pairs of texts: [[column, what]]")]),
        *([] if function is not None or name is None else [violation("function", "is not deployed")]),
    ]
    if problems:
        raise ValidationFailed("The query cannot be explained like that.", violations=problems)
    if function is not None and function.db.role is not None:
        caller = replace(caller, role=function.db.role)
    return _Asked(
        query=body["query"], key=body.get("key"), filters=filters, caller=caller, function=function, analyze=analyze
    )


def _are_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in value
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/explain",
        about="How a query is carried out for a caller. Nothing is written; `analyze` carries out what only reads.",
        handler=explain,
        result=Explained,
        body=ExplainWanted,
    ),
)
