"""How a raw transaction is told who asks, in one round trip and in a way that raw SQL cannot repeat. Pure.

The token is signed with a key that only the owner of schema flux can read (`flux.secret`, name "auth"), for one backend
and a few seconds. `flux_auth.enter` verifies it and puts what it says into `flux.auth`, signed anew for this
transaction; so a value of `flux.auth` that raw SQL keeps is worthless afterwards, and the token itself never shows.
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


def enter(
    caller: Caller,
    *,
    principal: str,
    pid: int,
    key: bytes,
    now: float,
    identity: str | None = None,
    begin: str = "BEGIN",
) -> str:
    """The statements that begin a raw transaction, as one text without parameters: one round trip (simple protocol).

    `principal` is from `names.principal_of`, `pid` from the connection's `get_server_pid()`, `key` from
    `flux.store.protection.read_key`; `begin` may add an isolation level. Nothing of a caller's stands in the text but
    in base64.
    """
    signed = token(caller, pid=pid, key=key, now=now, identity=identity)
    return f"{begin}; SELECT pg_catalog.set_config('role', {literal(principal)}, true), flux_auth.enter('{signed}')"


def literal(text: str) -> str:
    """The text as a constant of SQL, whatever standard_conforming_strings is set to."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f" E'{quoted}'" if "\\" in text else f"'{quoted}'"


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
