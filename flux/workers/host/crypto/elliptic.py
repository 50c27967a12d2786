"""ECDSA and ECDH on the NIST curves."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import jwk as members
from .algorithm import HASHES, Algorithm, data_error, hash_name, invalid_access, not_supported, operation_error
from .asymmetric import Pairs, private_key, public_key
from .family import truncated
from .key import Key, key_of

CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_NAMES = {curve.name: name for name, curve in CURVES.items()}
_JWK_ALGS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def curve_of(algorithm: Algorithm) -> ec.EllipticCurve:
    name = algorithm.get("namedCurve")
    if name not in CURVES:
        raise not_supported(f"There is no curve {name!r}; there are {', '.join(CURVES)}.")
    return CURVES[str(name)]


def coordinate_bytes(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8


class Elliptic(Pairs):
    """What the two share: keys."""

    jwk_use: str = "sig"

    def jwk_algs(self, curve: str) -> list[str | None]:
        return [_JWK_ALGS[curve]]

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> tuple[Key, Key]:
        return self.pair(ec.generate_private_key(curve_of(algorithm)), algorithm, extractable, usages)

    def check(self, key: Any, algorithm: Algorithm) -> None:
        if not isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
            raise data_error("This is not a key of an elliptic curve.")
        if key.curve.name != curve_of(algorithm).name:
            raise data_error("The key is on another curve.")

    def describe(self, public: Any, algorithm: Algorithm) -> Algorithm:
        return {"name": self.name, "namedCurve": _NAMES[public.curve.name]}

    def raw_public(self, data: bytes, algorithm: Algorithm) -> Any:
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(curve_of(algorithm), data)
        except ValueError as error:
            raise data_error(f"The data is not a point of the curve: {error}") from None

    def public_raw(self, key: Any) -> bytes:
        data: bytes = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return data

    def import_jwk(self, jwk: members.Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        curve = curve_of(algorithm)
        if jwk.get("crv") != algorithm["namedCurve"]:
            raise data_error(f'The JWK\'s "crv" must be "{algorithm["namedCurve"]}".')
        members.check(
            jwk,
            kty="EC",
            use=self.jwk_use,
            algs=self.jwk_algs(str(algorithm["namedCurve"])),
            extractable=extractable,
            usages=usages,
        )
        try:
            public = ec.EllipticCurvePublicNumbers(members.integer(jwk, "x"), members.integer(jwk, "y"), curve)
            if "d" not in jwk:
                return self.keep("public", public.public_key(), algorithm, extractable, usages)
            private = ec.EllipticCurvePrivateNumbers(members.integer(jwk, "d"), public).private_key()
        except ValueError as error:
            raise data_error(f"The JWK is not a valid key: {error}") from None
        return self.keep("private", private, algorithm, extractable, usages)

    def export_jwk(self, key: Key) -> dict[str, Any]:
        curve = str(key.algorithm["namedCurve"])
        size = coordinate_bytes(CURVES[curve])
        private = private_key(key.data).private_numbers() if key.type == "private" else None
        public = private.public_numbers if private is not None else public_key(key.data).public_numbers()
        numbers = {"x": public.x, "y": public.y}
        if private is not None:
            numbers["d"] = private.private_value
        found = {**members.shell(key, "EC", None), "crv": curve}
        return found | {name: members.integer_text(value, size) for name, value in numbers.items()}


class Ecdsa(Elliptic):
    """Signatures are r and s, each as long as the curve's order, one after the other."""

    name = "ECDSA"
    usages = {"private": frozenset(("sign",)), "public": frozenset(("verify",))}  # noqa: RUF012  # ClassVar in Family

    def sign(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        key.require_type("private")
        private = private_key(key.data)
        r, s = decode_dss_signature(private.sign(data, ec.ECDSA(HASHES[hash_name(algorithm)])))
        size = coordinate_bytes(private.curve)
        return r.to_bytes(size) + s.to_bytes(size)

    def verify(self, algorithm: Algorithm, key: Key, signature: bytes, data: bytes) -> bool:
        key.require_type("public")
        public = public_key(key.data)
        size = coordinate_bytes(public.curve)
        hash = HASHES[hash_name(algorithm)]
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        try:
            public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hash))
        except InvalidSignature:
            return False
        return True


class Ecdh(Elliptic):
    name = "ECDH"
    jwk_use = "enc"
    usages = {"private": frozenset(("deriveKey", "deriveBits")), "public": frozenset()}  # noqa: RUF012  # ClassVar in Family

    def jwk_algs(self, curve: str) -> list[str | None]:
        return ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"]

    def derive(self, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
        key.require_type("private")
        peer = peer_of(algorithm, key)
        if peer.algorithm.get("namedCurve") != key.algorithm.get("namedCurve"):
            raise invalid_access("The two keys are on different curves.")
        try:
            secret = private_key(key.data).exchange(ec.ECDH(), public_key(peer.data))
        except ValueError as error:
            raise operation_error(f"The keys do not agree: {error}") from None
        return truncated(secret, bits)


def peer_of(algorithm: Algorithm, key: Key) -> Key:
    """The other side's public key."""
    peer = key_of(algorithm, "public")
    peer.require_type("public")
    if peer.name != key.name:
        raise invalid_access(f"The public key is for {peer.name}, not for {key.name}.")
    return peer
