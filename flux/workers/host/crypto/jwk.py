"""Members of JSON Web Keys (RFC 7517, 7518, 8037)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .algorithm import data_error
from .key import Key

Jwk = Mapping[str, Any]

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def octets(jwk: Jwk, name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        raise data_error(f'The JWK has no valid member "{name}".')
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (ValueError, binascii.Error):
        raise data_error(f'The JWK has no valid member "{name}".') from None


def integer(jwk: Jwk, name: str) -> int:
    return int.from_bytes(octets(jwk, name))


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def integer_text(value: int, length: int | None = None) -> str:
    """Big endian, as short as possible or padded to `length` bytes."""
    return text(value.to_bytes(length if length is not None else max(1, (value.bit_length() + 7) // 8)))


def check(
    jwk: Jwk, *, kty: str, use: str, algs: Sequence[str | None], extractable: bool, usages: Sequence[str]
) -> None:
    """Raises DataError when the JWK says of itself that it is for something else."""
    if jwk.get("kty") != kty:
        raise data_error(f'The JWK\'s "kty" must be "{kty}".')
    if jwk.get("alg") is not None and jwk["alg"] not in algs:
        raise data_error(f'The JWK\'s "alg" is "{jwk["alg"]}"; it does not fit the algorithm asked for.')
    if usages and jwk.get("use") is not None and jwk["use"] != use:
        raise data_error(f'The JWK\'s "use" is "{jwk["use"]}"; "{use}" is needed.')
    operations = jwk.get("key_ops")
    if operations is not None and (not isinstance(operations, list) or not set(usages) <= set(operations)):
        raise data_error('The JWK\'s "key_ops" do not allow the usages asked for.')
    if jwk.get("ext") is False and extractable:
        raise data_error("The JWK says that it must not be extractable.")


def shell(key: Key, kty: str, alg: str | None) -> dict[str, Any]:
    """The members that every exported JWK has."""
    found: dict[str, Any] = {"kty": kty, "key_ops": list(key.usages), "ext": key.extractable}
    return found if alg is None else {**found, "alg": alg}
