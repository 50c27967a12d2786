"""AES in its four modes."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import jwk as members
from .algorithm import Algorithm, data_error, not_supported, number, octets, operation_error
from .family import Family
from .key import Key

BLOCK_BYTES = 16
KEY_BITS = (128, 192, 256)
TAG_BITS = (32, 64, 96, 104, 112, 120, 128)


class Aes(Family):
    """What the modes share: keys."""

    usages = {"secret": frozenset(("encrypt", "decrypt", "wrapKey", "unwrapKey"))}  # noqa: RUF012  # ClassVar in Family
    suffix: ClassVar[str]

    def generate(self, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        return self._key(secrets.token_bytes(self.key_bits(algorithm) // 8), extractable, usages)

    def import_bytes(
        self, format: str, data: bytes, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]
    ) -> Key:
        if format != "raw":
            raise not_supported(f'An AES key has no format "{format}".')
        return self._key(data, extractable, usages)

    def import_jwk(self, jwk: members.Jwk, algorithm: Algorithm, extractable: bool, usages: tuple[str, ...]) -> Key:
        data = members.octets(jwk, "k")
        alg = f"A{len(data) * 8}{self.suffix}"
        members.check(jwk, kty="oct", use="enc", algs=[alg], extractable=extractable, usages=usages)
        return self._key(data, extractable, usages)

    def export_bytes(self, format: str, key: Key) -> bytes:
        if format != "raw":
            raise not_supported(f'An AES key has no format "{format}".')
        return key.data

    def export_jwk(self, key: Key) -> dict[str, Any]:
        alg = f"A{len(key.data) * 8}{self.suffix}"
        return {**members.shell(key, "oct", alg), "k": members.text(key.data)}

    def key_bits(self, algorithm: Algorithm) -> int:
        bits = number(algorithm, "length")
        if bits not in KEY_BITS:
            raise operation_error("An AES key has 128, 192 or 256 bits.")
        return bits

    def _key(self, data: bytes, extractable: bool, usages: tuple[str, ...]) -> Key:
        self.check_usages("secret", usages)
        if len(data) * 8 not in KEY_BITS:
            raise data_error("An AES key has 128, 192 or 256 bits.")
        algorithm = {"name": self.name, "length": len(data) * 8}
        return Key(type="secret", algorithm=algorithm, extractable=extractable, usages=usages, data=data)


class AesGcm(Aes):
    name = "AES-GCM"
    suffix = "GCM"

    def encrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        mode = modes.GCM(octets(algorithm, "iv"))
        encryptor = Cipher(algorithms.AES(key.data), mode).encryptor()
        encryptor.authenticate_additional_data(octets(algorithm, "additionalData", b""))
        sealed = encryptor.update(data) + encryptor.finalize()
        return sealed + encryptor.tag[: self._tag_bytes(algorithm)]

    def decrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        size = self._tag_bytes(algorithm)
        if len(data) < size:
            raise operation_error("The data is shorter than its tag.")
        mode = modes.GCM(octets(algorithm, "iv"), data[-size:], min_tag_length=size)
        decryptor = Cipher(algorithms.AES(key.data), mode).decryptor()
        decryptor.authenticate_additional_data(octets(algorithm, "additionalData", b""))
        try:
            return decryptor.update(data[:-size]) + decryptor.finalize()
        except InvalidTag:
            raise operation_error("The data cannot be decrypted: wrong key, or it has been changed.") from None

    @staticmethod
    def _tag_bytes(algorithm: Algorithm) -> int:
        bits = number(algorithm, "tagLength", 128)
        if bits not in TAG_BITS:
            raise operation_error(f"tagLength must be one of {', '.join(map(str, TAG_BITS))}.")
        return bits // 8


class AesCbc(Aes):
    name = "AES-CBC"
    suffix = "CBC"

    def encrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        padder = padding.PKCS7(BLOCK_BYTES * 8).padder()
        encryptor = self._cipher(algorithm, key).encryptor()
        return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        if not data or len(data) % BLOCK_BYTES:
            raise operation_error("The data is not a whole number of blocks.")
        decryptor = self._cipher(algorithm, key).decryptor()
        unpadder = padding.PKCS7(BLOCK_BYTES * 8).unpadder()
        try:
            return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:
            raise operation_error("The data cannot be decrypted: wrong key, or it has been changed.") from None

    @staticmethod
    def _cipher(algorithm: Algorithm, key: Key) -> Cipher[modes.CBC]:
        iv = octets(algorithm, "iv")
        if len(iv) != BLOCK_BYTES:
            raise operation_error("The iv must have 16 bytes.")
        return Cipher(algorithms.AES(key.data), modes.CBC(iv))


class AesCtr(Aes):
    name = "AES-CTR"
    suffix = "CTR"

    def encrypt(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        """The counter is the block's last `length` bits and wraps around within them; OpenSSL's wraps within all."""
        counter, bits = octets(algorithm, "counter"), number(algorithm, "length")
        if len(counter) != BLOCK_BYTES or not 1 <= bits <= BLOCK_BYTES * 8:
            raise operation_error("The counter must have 16 bytes, and its length must be 1 to 128 bits.")
        blocks = -(-len(data) // BLOCK_BYTES)
        if blocks > 1 << bits:
            raise operation_error("The data has more blocks than the counter can count.")
        start = int.from_bytes(counter)
        until_wrap = ((1 << bits) - start % (1 << bits)) * BLOCK_BYTES
        first = self._stream(key, start, data[:until_wrap])
        return first + self._stream(key, start >> bits << bits, data[until_wrap:]) if data[until_wrap:] else first

    decrypt = encrypt

    @staticmethod
    def _stream(key: Key, counter: int, data: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(key.data), modes.CTR(counter.to_bytes(BLOCK_BYTES))).encryptor()
        return encryptor.update(data) + encryptor.finalize()


class AesKw(Aes):
    name = "AES-KW"
    suffix = "KW"
    usages = {"secret": frozenset(("wrapKey", "unwrapKey"))}  # noqa: RUF012  # declared ClassVar by Family

    def wrap(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        if len(data) < 16 or len(data) % 8:
            raise operation_error("AES-KW wraps 16 bytes or more, in steps of 8.")
        return keywrap.aes_key_wrap(key.data, data)

    def unwrap(self, algorithm: Algorithm, key: Key, data: bytes) -> bytes:
        try:
            return keywrap.aes_key_unwrap(key.data, data)
        except (keywrap.InvalidUnwrap, ValueError):
            raise operation_error("The key cannot be unwrapped: wrong key, or it has been changed.") from None
