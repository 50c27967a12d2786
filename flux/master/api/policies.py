"""Policies of tables: who may do what with which columns and rows."""

from __future__ import annotations

from typing import Any

import asyncpg

from flux.data.policy.explain import Allowed, explain, explain_table
from flux.data.policy.model import OPERATIONS, Caller, Operation, Policies
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.errors import Conflict, NotFound, ValidationFailed
from flux.master.api.bodies import CALLER_KEYS, NUL, holds_nul, read_caller, unknown, violation
from flux.master.api.declare import Call, Endpoint, Parameter
from flux.master.api.shapes import (
    Policy,
    PolicyExplained,
    PolicyGrant,
    PolicyList,
    PolicyRemoved,
    PolicyRow,
    PolicySaved,
    PolicyTested,
    PolicyTestWanted,
    PolicyWanted,
)
from flux.master.http.mounts import ApiResponse, json_response
from flux.store import policies as store
from flux.store.policy_test import check_row
from flux.store.pool import Connection
from flux.store.protection import apply
from flux.store.shape import plain

_TABLE = "The table's name."
_CREATED_BY = "api"
_TEST_KEYS = (*CALLER_KEYS, "operation", "id")


async def list_policies(call: Call) -> ApiResponse:
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        stored = await store.active(conn)
        problems = (await store.load(conn, schema)).problems
        warnings = await conn.fetchval("SELECT warnings FROM flux.protection")
    items = [_shown(each, problems.get(table)) for table, each in stored.items()]
    return json_response(PolicyList(items=items, warnings=list(warnings)))


async def get_policy(call: Call) -> ApiResponse:
    table = call.path["table"]
    wanted = call.query.get("version")
    async with call.services.pool.acquire() as conn:
        stored = await store.versions(conn, table)
    for each in stored:
        if each.version == wanted or (wanted is None and each.active):
            return json_response(_shown(each, None))
    raise NotFound(
        f"Table {table} has no policy{'' if wanted is None else f' of version {wanted}'}."
        + (f" There are versions {', '.join(str(each.version) for each in reversed(stored))}." if stored else "")
    )


async def set_policy(call: Call) -> ApiResponse:
    table, document = call.path["table"], call.request.json()
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        try:
            async with conn.transaction():
                saved, policies = await store.save(conn, table, document, schema, source="api", created_by=_CREATED_BY)
                warnings = await _protect(call, conn, schema, policies)
        except asyncpg.LockNotAvailableError:
            raise Conflict(f"Table {table} is in use, so that it could not be changed; try again.") from None
    call.services.policies_changed()
    return json_response(PolicySaved(**_shown(saved, None), warnings=warnings))


async def remove_policy(call: Call) -> ApiResponse:
    table = call.path["table"]
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        async with conn.transaction():
            if not await store.remove(conn, table, schema):
                raise NotFound(f"Table {table} has no policy.")
            await _protect(call, conn, schema, (await store.load(conn, schema)).policies)
    call.services.policies_changed()
    return json_response(PolicyRemoved(table=table, removed=True))


async def explain_policy(call: Call) -> ApiResponse:
    table = call.path["table"]
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        loaded = await store.load(conn, schema)
    schema.table(table)
    return json_response(
        PolicyExplained(
            table=table,
            restricted=table in loaded.policies.tables or table in loaded.policies.closed,
            masked=sorted(loaded.policies.masked(table)),
            problem=loaded.problems.get(table),
            grants=[_grant(each) for each in explain_table(loaded.policies, table)],
        )
    )


async def test_policy(call: Call) -> ApiResponse:
    table = call.path["table"]
    caller, operation, id_ = _asked(call.request.json())
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
        schema.table(table)
        loaded = await store.load(conn, schema)
        allowed = explain(loaded.policies, table, caller.role, operation)
        row = None
        if id_ is not None:
            tested = await check_row(conn, schema, loaded.policies, table, operation, caller, id_)
            row = PolicyRow(found=tested.found, visible=tested.visible, valid=tested.valid)
    return json_response(PolicyTested(table=table, **_grant(allowed), problem=loaded.problems.get(table), row=row))


async def _protect(call: Call, conn: Connection, schema: Schema, policies: Policies) -> list[str]:
    """What raw SQL cannot have from now on."""
    made = await apply(conn, schema, policies, sql_url=call.services.sql_url)
    return [*made.warnings, *([made.problem] if made.problem else [])]


def _shown(stored: store.StoredPolicy, problem: str | None) -> Policy:
    return Policy(
        table=stored.table,
        version=stored.version,
        active=stored.active,
        source=stored.source,
        created_at=plain(stored.created_at),
        created_by=stored.created_by,
        document=dict(stored.document),
        problem=problem,
    )


def _grant(allowed: Allowed) -> PolicyGrant:
    return PolicyGrant(
        role=allowed.role,
        operation=allowed.operation,
        allowed=allowed.allowed,
        by=allowed.by,
        columns=None if allowed.columns is None else list(allowed.columns),
        where=allowed.where,
        check=allowed.check,
    )


def _asked(body: Any) -> tuple[Caller, Operation, Any]:
    if not isinstance(body, dict):
        raise ValidationFailed('Send an object such as {"role": "member", "uid": "42", "operation": "select"}.')
    caller, problems = read_caller(body)
    operation = body.get("operation", "select")
    if operation not in OPERATIONS:
        problems.append(violation("operation", f"must be one of {', '.join(OPERATIONS)}"))
    problems += unknown(body, _TEST_KEYS)
    if holds_nul(body.get("id")):
        problems.append(violation("id", NUL))
    if problems:
        raise ValidationFailed("The test cannot be made like that.", violations=problems)
    return caller, operation, body.get("id")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/policies",
        about="The policies in force, one per table that has one.",
        handler=list_policies,
        result=PolicyList,
    ),
    Endpoint(
        method="GET",
        path="/policies/{table}",
        about="A table's policy: the one in force, or an older version.",
        handler=get_policy,
        result=Policy,
        path_about=_TABLE,
        query=(Parameter(name="version", about="This version instead.", type="integer"),),
    ),
    Endpoint(
        method="PUT",
        path="/policies/{table}",
        about="Puts a policy in force, as a new version unless it is what is in force already.",
        handler=set_policy,
        result=PolicySaved,
        path_about=_TABLE,
        body=PolicyWanted,
    ),
    Endpoint(
        method="DELETE",
        path="/policies/{table}",
        about="Leaves the table without a policy: open to all. Its versions are kept.",
        handler=remove_policy,
        result=PolicyRemoved,
        path_about=_TABLE,
    ),
    Endpoint(
        method="GET",
        path="/policies/{table}/explain",
        about="What each role may do with the table.",
        handler=explain_policy,
        result=PolicyExplained,
        path_about=_TABLE,
    ),
    Endpoint(
        method="POST",
        path="/policies/{table}/test",
        about="What one caller may do with the table, and with one row of it.",
        handler=test_policy,
        result=PolicyTested,
        path_about=_TABLE,
        body=PolicyTestWanted,
    ),
)
