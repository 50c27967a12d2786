"""What never enters a record as it is: headers that authenticate somebody, and cryptographic keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

REDACTED = "[redacted]"
SECRET_HEADERS = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"))

# Host calls whose result holds a key, or bits that are meant to be one (docs/HOST_CALLS.md).
KEY_RESULTS = frozenset(
    f"crypto.{name}" for name in ("generateKey", "importKey", "exportKey", "deriveBits", "deriveKey", "unwrapKey")
)
_KEY_ARGUMENTS = ("key", "wrapping_key", "unwrapping_key")

Pair = TypeVar("Pair", bound=Sequence[str])


def record_headers(headers: Sequence[Pair], also: Collection[str] = ()) -> Sequence[Sequence[str]]:
    """The header pairs as they may be recorded: secret ones, and those named in `also`, without their value.

    Returns `headers` itself when there is nothing to hide, so that the caller can tell.
    """
    for name, _ in headers:
        if (lower := name.lower()) in SECRET_HEADERS or lower in also:
            break
    else:
        return headers
    return [
        (name, REDACTED if (lower := name.lower()) in SECRET_HEADERS or lower in also else value)
        for name, value in headers
    ]


def record_keys(args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a `crypto` call as they may be recorded: without secret and private keys."""
    shown = dict(args)
    for name in _KEY_ARGUMENTS:
        key = shown.get(name)
        if isinstance(key, dict) and key.get("type") != "public":
            shown[name] = {**key, "data": REDACTED}
    if "key_data" in shown and shown.get("format") != "spki":
        shown["key_data"] = REDACTED
    return shown
