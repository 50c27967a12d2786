"""Who changes rows: the value of the transaction-local setting `flux.identity`, which the triggers read.

Flux's own sessions are believed as they are. A session of another role (raw SQL runs under one) could set anything, so
there the identity carries a MAC over its text and the session's process number, and ends soon.
"""

from __future__ import annotations

import hashlib
import hmac
import time

import orjson

# A statement with an identity of its own starts at once and takes 15 s by default; a transaction ends after 30 s.
VALID_S = 120


def identity(
    *,
    request_id: str | None = None,
    span: int | None = None,
    function: str | None = None,
    version: str | None = None,
    actor: str | None = None,
    tenant: str | None = None,
    key: bytes | None = None,
    pid: int | None = None,
) -> str:
    """The setting's value. `request_id`: a UUID as text.

    With `key` (flux.secret 'identity') and `pid` (of the server's process, `conn.get_server_pid()`) it is believed in
    a session of any role.
    """
    facts = {
        "request_id": request_id,
        "span": span,
        "function": function,
        "version": version,
        "actor": actor,
        "tenant": tenant,
    }
    if key is None or pid is None:
        return _json(facts)
    text = _json({**facts, "until": int(time.time()) + VALID_S})
    return hmac.new(key, f"{text}{pid}".encode(), hashlib.sha256).hexdigest() + text


def _json(facts: dict[str, str | int | None]) -> str:
    text = orjson.dumps(facts).decode()
    # Text of Postgres holds no NUL; a caller's name with one is still worth recording.
    return text.replace("\\u0000", "") if "\\u0000" in text else text
