"""How a raw transaction is told who asks, in a way that raw SQL cannot repeat. Pure.

The token is signed with a key that only the owner of schema flux can read (`flux.secret`, name "auth"), for one backend
and a few seconds. `flux_auth.enter` verifies it and puts what it says into `flux.auth`, signed anew for this
transaction; so a value of `flux.auth` that raw SQL keeps is worthless afterwards. The token itself never shows: it
travels as a parameter, because the texts of a login's statements stand in pg_stat_activity for all its sessions, and
within its seconds whoever is on the same backend could enter with it again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from flux.data.policy.model import Caller

SECRET = "auth"  # noqa: S105  a name in flux.secret
# From signing to the server's check: a connection that hangs longer than this has failed anyway.
VALID_S = 30
_LOGIN_LABEL = b"flux raw sql login"

# What a raw transaction begins with: as which principal (`names.principal_of`) and with which token.
ENTER = "SELECT pg_catalog.set_config('role', $1, true), flux_auth.enter($2)"


def token(caller: Caller, *, pid: int, key: bytes, now: float, identity: str | None = None) -> str:
    """`pid` is the backend's. `identity` is what flux.identity becomes (see flux/data/mutation). Base64 and a dot."""
    return _signed(
        {
            "role": caller.role,
            "uid": caller.uid,
            "tenant": caller.tenant,
            "claims": dict(caller.claims),
            "identity": identity,
        },
        pid=pid,
        key=key,
        now=now,
    )


def job_token(job: Mapping[str, Any], *, pid: int, key: bytes, now: float) -> str:
    """What `flux_auth.push` takes, for transactions of a login without rights on the queue."""
    return _signed({"job": job}, pid=pid, key=key, now=now)


def _signed(facts: Mapping[str, Any], *, pid: int, key: bytes, now: float) -> str:
    content = {**facts, "pid": pid, "until": int(now) + VALID_S}
    payload = base64.b64encode(orjson.dumps(content)).decode()
    return f"{hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()}.{payload}"


def login_password(key: bytes) -> str:
    """The login's password: the same on all nodes, because it follows from the database's own secret."""
    return hmac.new(key, _LOGIN_LABEL, hashlib.sha256).hexdigest()


def scram_verifier(password: str, salt: bytes, iterations: int = 4096) -> str:
    """What Postgres stores of a password (RFC 5803), so that the password itself is in no statement and no log."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"
