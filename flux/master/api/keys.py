"""API keys of callers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flux.data.policy.document import ROLE
from flux.errors import NotFound, ValidationFailed
from flux.master.api.bodies import violation
from flux.master.api.declare import Call, Endpoint
from flux.master.api.shapes import Key, KeyList, KeyMade, KeyRevoked, KeyWanted
from flux.master.gateway import auth
from flux.master.http.mounts import ApiResponse, json_response
from flux.store import keys
from flux.store.pool import Connection
from flux.store.shape import plain

# Names are shown in tables and in records; these bounds keep both readable.
NAME_LETTERS = 200
_ROLES = 'must be letters, digits, "_" and "-", as policies name it'


def key_table(stored: Iterable[keys.ApiKey]) -> auth.KeyTable:
    """The keys as the gateway looks them up."""
    return {key.id: auth.ApiKey(key.id, key.secret_sha256, key.tenant, key.name, key.role) for key in stored}


async def _tell_gateway(call: Call, conn: Connection) -> None:
    call.services.keys_changed(key_table(await keys.load(conn)))


async def list_keys(call: Call) -> ApiResponse:
    async with call.services.pool.acquire() as conn:
        stored = await keys.load(conn)
    return json_response(KeyList(items=[_shown(key) for key in stored]))


async def create_key(call: Call) -> ApiResponse:
    name, tenant, role = _wanted(call.request.json())
    async with call.services.pool.acquire() as conn:
        key, text = await keys.create(conn, name, tenant, role)
        await _tell_gateway(call, conn)
    return json_response(KeyMade(**_shown(key), key=text), 201)


async def revoke_key(call: Call) -> ApiResponse:
    identity = call.path["id"]
    async with call.services.pool.acquire() as conn:
        if not await keys.revoke(conn, identity):
            raise NotFound(f"There is no key {identity} (or it is revoked already).")
        await _tell_gateway(call, conn)
    return json_response(KeyRevoked(id=identity, revoked=True))


def _shown(key: keys.ApiKey) -> Key:
    return Key(id=key.id, name=key.name, tenant=key.tenant, role=key.role, created_at=plain(key.created_at))


def _wanted(body: Any) -> tuple[str, str | None, str]:
    if not isinstance(body, dict):
        raise ValidationFailed('Send an object such as {"name": "billing", "tenant": "acme"}.')
    name, tenant, role = body.get("name"), body.get("tenant"), body.get("role", keys.DEFAULT_ROLE)
    unknown = sorted(set(body) - {"name", "tenant", "role"})
    problems = [
        *([] if _is_name(name) else [violation("name", f"must be text of 1 to {NAME_LETTERS} letters")]),
        *([] if tenant is None or _is_name(tenant) else [violation("tenant", f"must be text, 1 to {NAME_LETTERS}")]),
        *([] if isinstance(role, str) and ROLE.fullmatch(role) else [violation("role", _ROLES)]),
        *(violation(key, "unknown; a key has name, tenant and role") for key in unknown),
    ]
    if problems:
        raise ValidationFailed("The key cannot be made like that.", violations=problems)
    return str(name), tenant, role


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= NAME_LETTERS and value.isprintable()


ENDPOINTS = (
    Endpoint(method="GET", path="/keys", about="Keys that are valid now.", handler=list_keys, result=KeyList),
    Endpoint(
        method="POST",
        path="/keys",
        about="Makes a key; the answer is the only place where it can be seen.",
        handler=create_key,
        result=KeyMade,
        status=201,
        body=KeyWanted,
    ),
    Endpoint(
        method="DELETE",
        path="/keys/{id}",
        about="Makes a key worthless, at once and for good.",
        handler=revoke_key,
        result=KeyRevoked,
        path_about="The 8 letters behind `flux_`.",
    ),
)
