"""Ed25519 and X25519."""

from __future__ import annotations

from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import jwk as members
from .algorithm import Algorithm, data_error, operation_error
from .asymmetric import Pairs, private_key, public_key
from .elliptic import peer_of
from .family import truncated
from .key import Key


class Edwards(Pairs):
    """What the two share: keys."""

    private_class: ClassVar[Any]
    public_class: ClassVar[Any]
    jwk_use: ClassVar[str] = "sig"
    jwk_algs: ClassVar[tuple[str, ...]] = ()

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> tuple[Key, Key]:
        return self.pair(self.private_class.generate(), algorithm, extractable, usages)

    def check(self, key: Any, algorithm: Algorithm) -> None:
        if not isinstance(key, self.private_class | self.public_class):
            raise data_error(f"This is not a key for {self.name}.")

    def describe(self, public: Any, algorithm: Algorithm) -> Algorithm:
        return {"name": self.name}

    def raw_public(self, data: bytes, algorithm: Algorithm) -> Any:
        try:
            return self.public_class.from_public_bytes(data)
        except ValueError as error:
            raise data_error(str(error)) from None

    def public_raw(self, key: Any) -> bytes:
        data: bytes = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return data

    def import_jwk(self, jwk: members.Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        if jwk.get("crv") != self.name:
            raise data_error(f'The JWK\'s "crv" must be "{self.name}".')
        members.check(jwk, kty="OKP", use=self.jwk_use, algs=self.jwk_algs, extractable=extractable, usages=usages)
        public = self.raw_public(members.octets(jwk, "x"), algorithm)
        if "d" not in jwk:
            return self.keep("public", public, algorithm, extractable, usages)
        try:
            private = self.private_class.from_private_bytes(members.octets(jwk, "d"))
        except ValueError as error:
            raise data_error(str(error)) from None
        if self.public_raw(private.public_key()) != self.public_raw(public):
            raise data_error('The JWK\'s "x" is not the public key of its "d".')
        return self.keep("private", private, algorithm, extractable, usages)

    def export_jwk(self, key: Key) -> dict[str, Any]:
        found = {**members.shell(key, "OKP", None), "crv": self.name}
        if key.type == "public":
            return {**found, "x": members.text(self.public_raw(public_key(key.data)))}
        private = private_key(key.data)
        x, d = self.public_raw(private.public_key()), private.private_bytes_raw()
        return {**found, "x": members.text(x), "d": members.text(d)}


class Ed25519(Edwards):
    name = "Ed25519"
    usages = {"private": frozenset(("sign",)), "public": frozenset(("verify",))}  # noqa: RUF012  # ClassVar in Family
    private_class = ed25519.Ed25519PrivateKey
    public_class = ed25519.Ed25519PublicKey
    jwk_algs = ("EdDSA", "Ed25519")

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        key.require_type("private")
        signature: bytes = private_key(key.data).sign(data)
        return signature

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        key.require_type("public")
        try:
            public_key(key.data).verify(signature, data)
        except InvalidSignature:
            return False
        return True


class X25519(Edwards):
    name = "X25519"
    usages = {"private": frozenset(("deriveKey", "deriveBits")), "public": frozenset()}  # noqa: RUF012  # ClassVar in Family
    private_class = x25519.X25519PrivateKey
    public_class = x25519.X25519PublicKey
    jwk_use = "enc"
    jwk_algs = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW")

    def derive(self, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
        key.require_type("private")
        try:
            secret = private_key(key.data).exchange(public_key(peer_of(algorithm, key).data))
        except ValueError as error:  # a point of small order: the secret would be zero
            raise operation_error(f"The keys do not agree: {error}") from None
        return truncated(secret, bits)
