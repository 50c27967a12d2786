"""RSA: OAEP, PKCS #1 v1.5 signatures, PSS."""

from __future__ import annotations

from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import jwk as members
from .algorithm import (
    HASHES,
    Algorithm,
    data_error,
    encoded,
    hash_name,
    number,
    octets,
    operation_error,
)
from .asymmetric import Pairs, private_key, public_key
from .key import Key, KeyType

MIN_BITS = 1024
MAX_GENERATED_BITS = 4096  # finding larger primes takes seconds of a thread that nobody can stop
MAX_BITS = 8192
_EXPONENTS = (3, 65537)


class Rsa(Pairs):
    """What the three share: keys."""

    jwk_prefix: ClassVar[str]
    jwk_use: ClassVar[str] = "sig"

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> tuple[Key, Key]:
        hash_name(algorithm)
        bits, exponent = number(algorithm, "modulusLength"), int.from_bytes(octets(algorithm, "publicExponent"))
        if not MIN_BITS <= bits <= MAX_GENERATED_BITS or exponent not in _EXPONENTS:
            raise operation_error(
                f"RSA keys are made with {MIN_BITS} to {MAX_GENERATED_BITS} bits and the public exponent 65537 or 3."
            )
        private = rsa.generate_private_key(exponent, bits)
        return self.pair(private, algorithm, extractable, usages)

    def check(self, key: Any, algorithm: Algorithm) -> None:
        if not isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
            raise data_error("This is not an RSA key.")
        if not MIN_BITS <= key.key_size <= MAX_BITS:
            raise data_error(f"An RSA key must have {MIN_BITS} to {MAX_BITS} bits.")

    def describe(self, public: Any, algorithm: Algorithm) -> Algorithm:
        exponent = public.public_numbers().e
        return {
            "name": self.name,
            "modulusLength": public.key_size,
            "publicExponent": encoded(exponent.to_bytes((exponent.bit_length() + 7) // 8)),
            "hash": {"name": hash_name(algorithm)},
        }

    def jwk_alg(self, algorithm: Algorithm) -> str:
        return self.jwk_prefix + {"SHA-1": "1"}.get(hash_name(algorithm), hash_name(algorithm).removeprefix("SHA-"))

    def import_jwk(self, jwk: members.Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        members.check(
            jwk,
            kty="RSA",
            use=self.jwk_use,
            algs=[self.jwk_alg(algorithm)],
            extractable=extractable,
            usages=usages,
        )
        try:
            public = rsa.RSAPublicNumbers(members.integer(jwk, "e"), members.integer(jwk, "n"))
            if "d" not in jwk:
                return self.keep("public", public.public_key(), algorithm, extractable, usages)
            d, p, q, dmp1, dmq1, iqmp = (members.integer(jwk, name) for name in ("d", "p", "q", "dp", "dq", "qi"))
            private = rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, public).private_key()
        except ValueError as error:
            raise data_error(f"The JWK is not a valid RSA key: {error}") from None
        return self.keep("private", private, algorithm, extractable, usages)

    def export_jwk(self, key: Key) -> dict[str, Any]:
        found = members.shell(key, "RSA", self.jwk_alg(key.algorithm))
        private = private_key(key.data).private_numbers() if key.type == "private" else None
        public = private.public_numbers if private is not None else public_key(key.data).public_numbers()
        numbers = {"n": public.n, "e": public.e}
        if private is not None:
            numbers |= {"d": private.d, "p": private.p, "q": private.q}
            numbers |= {"dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
        return found | {name: members.integer_text(value) for name, value in numbers.items()}


_SIGNING: dict[KeyType, frozenset[str]] = {"private": frozenset(("sign",)), "public": frozenset(("verify",))}


class RsaSignature(Rsa):
    usages = _SIGNING

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        key.require_type("private")
        try:
            signature: bytes = private_key(key.data).sign(data, self._padding(algorithm), self._hash(key))
        except ValueError as error:
            raise operation_error(f"The key cannot sign so: {error}") from None
        return signature

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        key.require_type("public")
        try:
            public_key(key.data).verify(signature, data, self._padding(algorithm), self._hash(key))
        except InvalidSignature:
            return False
        return True

    def _padding(self, algorithm: Algorithm) -> Any:
        return padding.PKCS1v15()

    @staticmethod
    def _hash(key: Key) -> Any:
        return HASHES[hash_name(key.algorithm)]


class RsaPkcs1(RsaSignature):
    name = "RSASSA-PKCS1-v1_5"
    jwk_prefix = "RS"


class RsaPss(RsaSignature):
    name = "RSA-PSS"
    jwk_prefix = "PS"

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        return super().sign(self._with_hash(algorithm, key), key, data)

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        return super().verify(self._with_hash(algorithm, key), key, signature, data)

    @staticmethod
    def _with_hash(algorithm: Algorithm, key: Key) -> Algorithm:
        return {**algorithm, "hash": key.algorithm["hash"]}

    def _padding(self, algorithm: Algorithm) -> Any:
        mgf = padding.MGF1(HASHES[hash_name(algorithm)])
        return padding.PSS(mgf, salt_length=number(algorithm, "saltLength"))


class RsaOaep(Rsa):
    name = "RSA-OAEP"
    jwk_prefix = "RSA-OAEP"
    jwk_use = "enc"
    usages = {  # noqa: RUF012  # declared ClassVar by Family
        "private": frozenset(("decrypt", "unwrapKey")),
        "public": frozenset(("encrypt", "wrapKey")),
    }

    def jwk_alg(self, algorithm: Algorithm) -> str:
        bits = hash_name(algorithm).removeprefix("SHA-")
        return self.jwk_prefix if bits == "1" else f"{self.jwk_prefix}-{bits}"

    def encrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        key.require_type("public")
        try:
            sealed: bytes = public_key(key.data).encrypt(data, self._padding(algorithm, key))
        except ValueError as error:
            raise operation_error(f"The data cannot be encrypted: {error}") from None
        return sealed

    def decrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        key.require_type("private")
        try:
            opened: bytes = private_key(key.data).decrypt(data, self._padding(algorithm, key))
        except ValueError:
            raise operation_error("The data cannot be decrypted: wrong key, or it has been changed.") from None
        return opened

    @staticmethod
    def _padding(algorithm: Algorithm, key: Key) -> padding.OAEP:
        hash = HASHES[hash_name(key.algorithm)]
        return padding.OAEP(padding.MGF1(hash), hash, octets(algorithm, "label", b"") or None)
