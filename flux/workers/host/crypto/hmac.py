"""HMAC."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from . import jwk as members
from .algorithm import Algorithm, data_error, hash_name, not_supported, number, operation_error
from .family import Family
from .key import Key

# Block sizes in bits: the length of a key when none is asked for.
_BLOCK_BITS = {"SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024}
MAX_KEY_BITS = 64 * 1024  # longer keys are hashed anyway


def python_name(hash: str) -> str:
    """As `hashlib` has it: sha256."""
    return hash.lower().replace("-", "")


class Hmac(Family):
    name = "HMAC"
    usages = {"secret": frozenset(("sign", "verify"))}  # noqa: RUF012  # declared ClassVar by Family

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        bits = self.key_bits(algorithm)
        return self._key(secrets.token_bytes((bits + 7) // 8), algorithm, extractable, usages)

    def import_bytes(
        self, format: str, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]
    ) -> Key:
        if format != "raw":
            raise not_supported(f'An HMAC key has no format "{format}".')
        return self._key(data, algorithm, extractable, usages)

    def import_jwk(self, jwk: members.Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        alg = "HS" + hash_name(algorithm).removeprefix("SHA-")
        members.check(jwk, kty="oct", use="sig", algs=[alg], extractable=extractable, usages=usages)
        return self._key(members.octets(jwk, "k"), algorithm, extractable, usages)

    def export_bytes(self, format: str, key: Key) -> bytes:
        if format != "raw":
            raise not_supported(f'An HMAC key has no format "{format}".')
        return key.data

    def export_jwk(self, key: Key) -> dict[str, Any]:
        alg = "HS" + hash_name(key.algorithm).removeprefix("SHA-")
        return {**members.shell(key, "oct", alg), "k": members.text(key.data)}

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        return hmac.digest(key.data, data, python_name(hash_name(key.algorithm)))

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        return hmac.compare_digest(self.sign(algorithm, key, data), signature)

    def key_bits(self, algorithm: Algorithm) -> int:
        bits = number(algorithm, "length", _BLOCK_BITS[hash_name(algorithm)])
        if not 0 < bits <= MAX_KEY_BITS:
            raise operation_error(f"An HMAC key has 1 to {MAX_KEY_BITS} bits.")
        return bits

    def _key(self, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        self.check_usages("secret", usages)
        bits = number(algorithm, "length", len(data) * 8)
        if not data or not len(data) * 8 - 8 < bits <= len(data) * 8:
            raise data_error("The HMAC key is empty, or not as long as the algorithm says.")
        return Key(
            type="secret",
            algorithm={"name": self.name, "hash": {"name": hash_name(algorithm)}, "length": bits},
            extractable=extractable,
            usages=usages,
            data=data,
        )
