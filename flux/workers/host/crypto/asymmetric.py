"""What the families of key pairs share: PKCS#8 and SPKI, and which of the two a format means."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from .algorithm import Algorithm, data_error, invalid_access, not_supported
from .family import Family
from .key import Key, KeyType


@lru_cache(maxsize=256)
def private_key(data: bytes) -> Any:
    """The private key in PKCS#8; parsing and checking one costs more than a signature with it."""
    try:
        return load_der_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise data_error(f"The private key is not valid PKCS#8: {error}") from None


@lru_cache(maxsize=256)
def public_key(data: bytes) -> Any:
    try:
        return load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise data_error(f"The public key is not valid SPKI: {error}") from None


def pkcs8(key: Any) -> bytes:
    data: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return data


def spki(key: Any) -> bytes:
    data: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return data


class Pairs(Family):
    """`check` says whether a parsed key fits the algorithm; `describe` makes CryptoKey's algorithm of it."""

    def check(self, key: Any, algorithm: Algorithm) -> None:
        """Raises DataError."""
        raise NotImplementedError

    def describe(self, public: Any, algorithm: Algorithm) -> Algorithm:
        raise NotImplementedError

    def raw_public(self, data: bytes, algorithm: Algorithm) -> Any:
        """The public key that `data` is, in the format raw."""
        raise not_supported(f'A key for {self.name} has no format "raw".')

    def pair(self, private: Any, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> tuple[Key, Key]:
        """A generated pair: each key gets those of the usages that it can have; the public one can be extracted."""
        self.check_usages("private", self._kept("private", usages))
        unknown = set(usages) - self.usages["private"] - self.usages["public"]
        if unknown:
            self.check_usages("private", tuple(unknown))
        described = self.describe(private.public_key(), algorithm)
        return (
            Key(
                type="private",
                algorithm=described,
                extractable=extractable,
                usages=self._kept("private", usages),
                data=pkcs8(private),
            ),
            Key(
                type="public",
                algorithm=described,
                extractable=True,
                usages=self._kept("public", usages),
                data=spki(private.public_key()),
            ),
        )

    def import_bytes(
        self, format: str, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]
    ) -> Key:
        if format == "pkcs8":
            return self.keep("private", private_key(data), algorithm, extractable, usages)
        if format == "spki":
            return self.keep("public", public_key(data), algorithm, extractable, usages)
        if format == "raw":
            return self.keep("public", self.raw_public(data, algorithm), algorithm, extractable, usages)
        raise not_supported(f'A key for {self.name} has no format "{format}".')

    def keep(self, type: KeyType, key: Any, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        """A parsed key, checked."""
        self.check_usages(type, usages)
        self.check(key, algorithm)
        public = key.public_key() if type == "private" else key
        return Key(
            type=type,
            algorithm=self.describe(public, algorithm),
            extractable=extractable,
            usages=usages,
            data=pkcs8(key) if type == "private" else spki(key),
        )

    def export_bytes(self, format: str, key: Key) -> bytes:
        if format == "raw":
            key.require_type("public")
            return self.public_raw(public_key(key.data))
        wanted = {"pkcs8": "private", "spki": "public"}.get(format)
        if wanted is None:
            raise not_supported(f'A key for {self.name} has no format "{format}".')
        if wanted != key.type:
            raise invalid_access(f'A {key.type} key cannot be exported as "{format}".')
        return key.data

    def public_raw(self, key: Any) -> bytes:
        raise not_supported(f'A key for {self.name} has no format "raw".')

    def _kept(self, type: KeyType, usages: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(usage for usage in usages if usage in self.usages[type])
