"""HKDF and PBKDF2: keys that other keys are derived from."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .algorithm import HASHES, Algorithm, hash_name, not_supported, number, octets, operation_error, syntax_error
from .family import Family
from .hmac import python_name
from .key import Key

# OWASP asks for 600,000 (SHA-256) as of 2023; ten times that is some seconds of a thread that nobody can stop.
MAX_ITERATIONS = 6_000_000
MAX_DERIVED_BYTES = 64 * 1024  # every block of PBKDF2's output costs all iterations again


class Derivation(Family):
    """What the two share: keys, which come in raw and never leave again."""

    usages = {"secret": frozenset(("deriveKey", "deriveBits"))}  # noqa: RUF012  # declared ClassVar by Family

    def import_bytes(
        self, format: str, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]
    ) -> Key:
        if format != "raw":
            raise not_supported(f'A key for {self.name} has no format "{format}".')
        if extractable:
            raise syntax_error(f"A key for {self.name} cannot be extractable.")
        self.check_usages("secret", usages)
        return Key(type="secret", algorithm={"name": self.name}, extractable=False, usages=usages, data=data)

    def key_bits(self, algorithm: Algorithm) -> None:
        return None

    def _bytes(self, bits: int | None) -> int:
        if bits is None or bits % 8:
            raise operation_error(f"{self.name} needs a length in bits that is a multiple of 8.")
        if bits // 8 > MAX_DERIVED_BYTES:
            raise operation_error(f"At most {MAX_DERIVED_BYTES} bytes can be derived.")
        return bits // 8


class Hkdf(Derivation):
    name = "HKDF"

    def derive(self, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
        size, hash = self._bytes(bits), HASHES[hash_name(algorithm)]
        if size == 0:
            return b""
        try:
            return HKDF(hash, size, octets(algorithm, "salt"), octets(algorithm, "info")).derive(key.data)
        except ValueError as error:
            raise operation_error(str(error)) from None


class Pbkdf2(Derivation):
    name = "PBKDF2"

    def derive(self, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
        size, hash = self._bytes(bits), python_name(hash_name(algorithm))
        rounds = self.rounds(algorithm, size)
        if number(algorithm, "iterations") < 1 or rounds > MAX_ITERATIONS:
            raise operation_error(f"PBKDF2 takes 1 to {MAX_ITERATIONS} iterations, over all blocks of its output.")
        if size == 0:
            return b""
        return hashlib.pbkdf2_hmac(hash, key.data, octets(algorithm, "salt"), number(algorithm, "iterations"), size)

    @staticmethod
    def rounds(algorithm: Algorithm, size: int) -> int:
        """How often the hash is applied in all."""
        block = HASHES[hash_name(algorithm)].digest_size
        return number(algorithm, "iterations") * max(1, -(-size // block))
