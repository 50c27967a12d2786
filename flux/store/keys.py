"""API keys: `flux_<id>_<secret>`, checked in `flux/master/gateway/auth.py`. Shown once; the hash is stored."""

from __future__ import annotations

import hashlib
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from flux.data.policy.model import AUTHENTICATED
from flux.store.pool import Connection

ALPHABET = string.ascii_letters + string.digits
ID_LETTERS = 8
# 40 letters out of 62 are 238 bits: nothing to gain from a slow hash, so a plain one keeps the check at microseconds.
SECRET_LETTERS = 40
# What policies know the requests of a key by that names no role (flux/data/policy/model.py).
DEFAULT_ROLE = AUTHENTICATED


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    id: str
    name: str
    tenant: str | None
    role: str
    secret_sha256: bytes
    created_at: datetime


async def create(
    conn: Connection, name: str, tenant: str | None = None, role: str = DEFAULT_ROLE
) -> tuple[ApiKey, str]:
    """Make a key; it and its text, which cannot be had again."""
    id_, secret = _letters(ID_LETTERS), _letters(SECRET_LETTERS)
    digest = hashlib.sha256(secret.encode()).digest()
    created_at = await conn.fetchval(
        "INSERT INTO flux.api_keys (id, name, tenant, role, secret_sha256) VALUES ($1, $2, $3, $4, $5) "
        "RETURNING created_at",
        id_,
        name,
        tenant,
        role,
        digest,
    )
    key = ApiKey(id=id_, name=name, tenant=tenant, role=role, secret_sha256=digest, created_at=created_at)
    return key, f"flux_{id_}_{secret}"


async def revoke(conn: Connection, id_: str) -> bool:
    """Make a key worthless; False when there is no such key or it already is."""
    tag = await conn.execute("UPDATE flux.api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", id_)
    return tag == "UPDATE 1"


async def load(conn: Connection) -> list[ApiKey]:
    """All keys that are valid now, oldest first."""
    rows = await conn.fetch(
        "SELECT id, name, tenant, role, secret_sha256, created_at FROM flux.api_keys "
        "WHERE revoked_at IS NULL ORDER BY created_at, id"
    )
    return [ApiKey(**row) for row in rows]


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
