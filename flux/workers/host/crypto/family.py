"""What an algorithm family offers. A method that a family lacks raises NotSupportedError, as the standard wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .algorithm import Algorithm, not_supported, operation_error, syntax_error
from .jwk import Jwk
from .key import Key, KeyType

Generated = Key | tuple[Key, Key]  # one secret key, or (private, public)


class Family:
    """One algorithm. `usages` lists by type of key what it may be used for; all methods are synchronous and pure."""

    name: ClassVar[str]
    usages: ClassVar[dict[KeyType, frozenset[str]]]

    def check_usages(self, type: KeyType, usages: Sequence[str]) -> None:
        """Raises SyntaxError for usages that such a key cannot have, or for a secret or private key without any."""
        wrong = set(usages) - self.usages.get(type, frozenset())
        if wrong:
            raise syntax_error(f"A {type} key for {self.name} cannot be used for: {', '.join(sorted(wrong))}.")
        if not usages and type != "public":
            raise syntax_error(f"A {type} key needs at least one usage.")

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Generated:
        raise self.unsupported("generateKey")

    def import_bytes(
        self, format: str, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]
    ) -> Key:
        raise self.unsupported("importKey")

    def import_jwk(self, jwk: Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        raise self.unsupported("importKey with a JWK")

    def export_bytes(self, format: str, key: Key) -> bytes:
        raise self.unsupported("exportKey")

    def export_jwk(self, key: Key) -> dict[str, Any]:
        raise self.unsupported("exportKey as a JWK")

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        raise self.unsupported("sign")

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        raise self.unsupported("verify")

    def encrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        raise self.unsupported("encrypt")

    def decrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        raise self.unsupported("decrypt")

    def wrap(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        return self.encrypt(algorithm, key, data)

    def unwrap(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        return self.decrypt(algorithm, key, data)

    def derive(self, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
        raise self.unsupported("deriveBits")

    def key_bits(self, algorithm: Algorithm) -> int | None:
        """How many bits `deriveKey` must derive for a key of this algorithm; None: as many as there are."""
        raise self.unsupported("deriveKey for such a key")

    def unsupported(self, what: str) -> Exception:
        return not_supported(f"{self.name} does not offer {what}.")


def truncated(secret: bytes, bits: int | None) -> bytes:
    """The first `bits` of a shared secret; what is left of its last byte is zero."""
    if bits is None:
        return secret
    if bits > len(secret) * 8:
        raise operation_error(f"The shared secret has {len(secret) * 8} bits; {bits} were asked for.")
    kept = bytearray(secret[: (bits + 7) // 8])
    if bits % 8:
        kept[-1] &= 0xFF << (8 - bits % 8) & 0xFF
    return bytes(kept)
