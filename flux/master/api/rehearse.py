"""Run a function without consequences, to see what it would do."""

from __future__ import annotations

from typing import Any

import orjson

from flux.data.policy.model import Caller
from flux.errors import NotFound, ValidationFailed
from flux.master.api.bodies import CALLER_KEYS, read_caller, unknown, violation
from flux.master.api.declare import Call, Endpoint
from flux.master.api.shapes import RehearsalWanted, Rehearsed
from flux.master.http.mounts import ApiResponse, json_response

_KEYS = ("input", *CALLER_KEYS)


async def rehearse(call: Call) -> ApiResponse:
    name = call.path["function"]
    spec = call.services.manifest().functions.get(name)
    if spec is None:
        raise NotFound(f"There is no function {name}.")
    if spec.data is not None:
        raise ValidationFailed(
            "A data route is a query and no function: explain that.",
            violations=[violation("function", "is a data route")],
        )
    body = call.request.json()
    if not isinstance(body, dict):
        raise ValidationFailed('Send an object such as {"input": {"email": "ada@example.com"}, "role": "member"}.')
    caller, problems = read_caller(body)
    problems += unknown(body, _KEYS)
    if problems:
        raise ValidationFailed("The function cannot be rehearsed like that.", violations=problems)
    request_id, result = await call.services.rehearse(
        spec, orjson.dumps(body.get("input", {})), tenant=caller.tenant, user=_user(body, caller)
    )
    return json_response(Rehearsed(request_id=request_id, status=result.status))


def _user(body: dict[str, Any], caller: Caller) -> dict[str, Any] | None:
    """What `ctx.user` is to be: null for a caller of whom nothing is said."""
    if all(body.get(key) is None for key in ("role", "uid", "claims")):
        return None
    return {**caller.claims, "id": caller.uid, "role": caller.role}


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/rehearse/{function}",
        about="Runs a function without consequences: what it changes in the database is rolled back, `fetch` and "
        "`invoke` are refused. The execution is recorded, of kind rehearsal.",
        handler=rehearse,
        result=Rehearsed,
        body=RehearsalWanted,
        path_about="Name of the function.",
    ),
)
