"""The operations of `crypto.subtle` as host calls. docs/HOST_CALLS.md lists arguments and results.

What takes long (PBKDF2, RSA with private keys, data by the megabyte) runs in a thread, a few at a time: the library
releases the interpreter's lock while it computes. A call that is cancelled leaves its thread to finish.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from flux.failure import invalid

from ..arguments import Args, mapping, text
from .aes import AesCbc, AesCtr, AesGcm, AesKw
from .algorithm import (
    Algorithm,
    canonical_hash,
    data_error,
    decoded,
    dictionary,
    encoded,
    invalid_access,
    not_supported,
    operation_error,
)
from .derivation import Hkdf, Pbkdf2
from .edwards import X25519, Ed25519
from .elliptic import Ecdh, Ecdsa
from .family import Family
from .hmac import Hmac, python_name
from .key import Key, key_of, usages_of
from .rsa import Rsa, RsaOaep, RsaPkcs1, RsaPss

if TYPE_CHECKING:
    from ..scope import Scope

T = TypeVar("T")

_CLASSES = (Hmac, AesGcm, AesCbc, AesCtr, AesKw, RsaOaep, RsaPkcs1, RsaPss, Ecdsa, Ecdh, Ed25519, X25519, Hkdf, Pbkdf2)
FAMILIES: dict[str, Family] = {made.name.upper(): made for made in (kind() for kind in _CLASSES)}

# From here on the loop would notice: about a quarter of a millisecond at 1 GB/s.
INLINE_BYTES = 256 * 1024
FORMATS = ("raw", "pkcs8", "spki", "jwk")


def family_of(algorithm: Algorithm) -> Family:
    found = FAMILIES.get(str(algorithm["name"]).upper())
    if found is None:
        raise not_supported(f'There is no algorithm "{algorithm["name"]}".')
    return found


async def digest(scope: Scope, args: Args) -> bytes:
    name = python_name(canonical_hash(str(dictionary(args.get("algorithm"))["name"])))
    data = decoded(args.get("data"), "data")
    result = await _computed(scope, lambda: hashlib.new(name, data).digest(), slow=len(data) > INLINE_BYTES)
    return _data(result)


async def sign(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "sign")
    data = decoded(args.get("data"), "data")
    return _data(await _computed(scope, lambda: family.sign(algorithm, key, data), slow=_slow(family, data)))


async def verify(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "verify")
    data, signature = decoded(args.get("data"), "data"), decoded(args.get("signature"), "signature")
    slow = len(data) > INLINE_BYTES
    valid = await _computed(scope, lambda: family.verify(algorithm, key, signature, data), slow=slow)
    return orjson.dumps({"valid": valid})


async def encrypt(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "encrypt")
    data = decoded(args.get("data"), "data")
    return _data(await _computed(scope, lambda: family.encrypt(algorithm, key, data), slow=len(data) > INLINE_BYTES))


async def decrypt(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "decrypt")
    data = decoded(args.get("data"), "data")
    return _data(await _computed(scope, lambda: family.decrypt(algorithm, key, data), slow=_slow(family, data)))


async def generate_key(scope: Scope, args: Args) -> bytes:
    algorithm = dictionary(args.get("algorithm"))
    family, extractable, usages = family_of(algorithm), args.get("extractable") is True, usages_of(args)
    made = await _computed(scope, lambda: family.generate(algorithm, extractable, usages), slow=isinstance(family, Rsa))
    if isinstance(made, Key):
        return _key(made)
    private, public = made
    return orjson.dumps({"private_key": private.to_json(), "public_key": public.to_json()})


async def import_key(scope: Scope, args: Args) -> bytes:
    format = _format(args)
    data = mapping(args, "key_data") if format == "jwk" else decoded(args.get("key_data"), "key_data")
    return _key(_imported(format, data, dictionary(args.get("algorithm")), args))


async def export_key(scope: Scope, args: Args) -> bytes:
    format, key = _format(args), key_of(args, "key")
    exported = _exported(format, key)
    return _data(exported) if isinstance(exported, bytes) else orjson.dumps({"jwk": exported})


async def derive_bits(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "deriveBits")
    return _data(await _derived(scope, family, algorithm, key, _length(args)))


async def derive_key(scope: Scope, args: Args) -> bytes:
    family, algorithm, key = _use(args, "key", "deriveKey")
    target = dictionary(args.get("derived_algorithm"))
    bits = family_of(target).key_bits(target)
    secret = await _derived(scope, family, algorithm, key, bits)
    return _key(_imported("raw", secret, target, args))


async def wrap_key(scope: Scope, args: Args) -> bytes:
    family, algorithm, wrapping = _use(args, "wrapping_key", "wrapKey")
    exported = _exported(_format(args), key_of(args, "key"))
    data = exported if isinstance(exported, bytes) else _padded(orjson.dumps(exported))
    return _data(await _computed(scope, lambda: family.wrap(algorithm, wrapping, data), slow=False))


async def unwrap_key(scope: Scope, args: Args) -> bytes:
    family, algorithm, unwrapping = _use(args, "unwrapping_key", "unwrapKey")
    format, wrapped = _format(args), decoded(args.get("data"), "data")
    data = await _computed(scope, lambda: family.unwrap(algorithm, unwrapping, wrapped), slow=isinstance(family, Rsa))
    target = dictionary(args.get("unwrapped_algorithm"))
    return _key(_imported(format, _parsed(data) if format == "jwk" else data, target, args))


Operation = Callable[["Scope", Args], Awaitable[bytes]]

OPERATIONS: dict[str, Operation] = {
    "digest": digest,
    "sign": sign,
    "verify": verify,
    "encrypt": encrypt,
    "decrypt": decrypt,
    "generateKey": generate_key,
    "importKey": import_key,
    "exportKey": export_key,
    "deriveBits": derive_bits,
    "deriveKey": derive_key,
    "wrapKey": wrap_key,
    "unwrapKey": unwrap_key,
}


def _use(args: Args, name: str, usage: str) -> tuple[Family, Algorithm, Key]:
    """The algorithm asked for and a key that may be used for it so."""
    algorithm, key = dictionary(args.get("algorithm")), key_of(args, name)
    family = family_of(algorithm)
    key.require(usage, family.name)
    return family, algorithm, key


def _imported(format: str, data: Any, algorithm: Algorithm, args: Args) -> Key:
    family, extractable, usages = family_of(algorithm), args.get("extractable") is True, usages_of(args)
    if format == "jwk":
        return family.import_jwk(data, algorithm, extractable, usages)
    return family.import_bytes(format, data, algorithm, extractable, usages)


def _exported(format: str, key: Key) -> bytes | dict[str, Any]:
    if not key.extractable:
        raise invalid_access("The key is not extractable.")
    family = family_of(key.algorithm)
    return family.export_jwk(key) if format == "jwk" else family.export_bytes(format, key)


async def _derived(scope: Scope, family: Family, algorithm: Algorithm, key: Key, bits: int | None) -> bytes:
    return await _computed(scope, lambda: family.derive(algorithm, key, bits), slow=isinstance(family, Pbkdf2))


async def _computed(scope: Scope, work: Callable[[], T], *, slow: bool) -> T:
    """The result of `work`. What `cryptography` refuses without a better reason is an OperationError."""
    try:
        if not slow:
            return work()
        return await asyncio.shield(scope.services.background(_in_thread(scope, work)))
    except (ValueError, OverflowError) as error:
        raise operation_error(str(error)) from None


async def _in_thread(scope: Scope, work: Callable[[], T]) -> T:
    async with scope.services.threads:
        return await asyncio.to_thread(work)


def _slow(family: Family, data: bytes) -> bool:
    return isinstance(family, Rsa) or len(data) > INLINE_BYTES


def _format(args: Args) -> str:
    format = text(args, "format")
    if format not in FORMATS:
        raise not_supported(f'There is no key format "{format}"; there are {", ".join(FORMATS)}.')
    return format


def _length(args: Args) -> int | None:
    value = args.get("length")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise invalid('"length" must be a number of bits, or null.')
    return value


def _padded(json: bytes) -> bytes:
    """A JWK for AES-KW, which wraps whole words: white space after JSON changes nothing."""
    return json + b" " * (-len(json) % 8)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise data_error("The unwrapped key is not a JWK.")
    return value


def _data(value: bytes) -> bytes:
    return orjson.dumps({"data": encoded(value)})


def _key(key: Key) -> bytes:
    return orjson.dumps({"key": key.to_json()})
