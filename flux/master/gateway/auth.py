"""Step 4: who calls. `none` asks nothing; `api_key` needs `Authorization: Bearer flux_<id>_<secret>` or `x-api-key`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

from flux.data.policy.model import AUTHENTICATED
from flux.errors import Unauthenticated

PREFIX = "flux_"
_BEARER = "bearer "
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
# Compared against when the ID is unknown, so that unknown IDs take as long as wrong secrets. Nothing hashes to it.
_NOBODY = bytes(32)


class ApiKey(NamedTuple):
    """What is known of a key: SHA-256 of its secret, the tenant it acts for, its name, its role in policies."""

    id: str
    digest: bytes
    tenant: str | None
    name: str
    role: str = AUTHENTICATED


KeyTable = Mapping[str, ApiKey]


def presented(headers: Mapping[str, str]) -> str | None:
    """The key text of a request, or None. `Authorization` goes before `x-api-key`."""
    value = headers.get("authorization")
    if value is not None and value[:7].lower() == _BEARER:
        return value[7:].strip()
    return headers.get("x-api-key")


def authenticate(headers: Mapping[str, str], keys: KeyTable) -> ApiKey:
    """The key that the request presents. Raises Unauthenticated; takes the same time for unknown and wrong keys."""
    text = presented(headers)
    if text is None:
        raise Unauthenticated(headers=_CHALLENGE)
    prefix, _, secret = text.removeprefix(PREFIX).partition("_")
    key = keys.get(prefix)
    digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
    matches = hmac.compare_digest(digest, _NOBODY if key is None else key.digest)
    if key is None or not matches or not text.startswith(PREFIX):
        raise Unauthenticated("This API key is not known (or was revoked).", headers=_CHALLENGE)
    return key
