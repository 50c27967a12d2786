"""`crypto.subtle` through the host calls: published vectors, every way in and out of a key, every refusal."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from flux.failure import HostError
from flux.workers.host.scope import Services
from tests.integration.workers.host.conftest import Call, caller, new_scope

HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]
CURVES = ["P-256", "P-384", "P-521"]
EXPONENT = base64.b64encode(b"\x01\x00\x01").decode()


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def hexed(value: str) -> str:
    return b64(bytes.fromhex(value))


def unhexed(value: str) -> str:
    return base64.b64decode(value).hex()


@pytest.fixture
def call(offline: Services) -> Call:
    inner = caller(new_scope(offline))

    async def call(method: str, **args: Any) -> Any:
        return await inner(f"crypto.{method}", **args)

    return call


async def code_of(awaitable: Any) -> str:
    with pytest.raises(HostError) as caught:
        await awaitable
    assert caught.value.status == (400 if caught.value.code == "INVALID_ARGUMENT" else 500)
    return caught.value.code


async def secret(call: Call, raw: str, algorithm: Any, *usages: str, extractable: bool = True) -> Any:
    args = {"format": "raw", "key_data": raw, "algorithm": algorithm, "extractable": extractable, "usages": usages}
    return (await call("importKey", **args))["key"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            {"name": "SHA-384"},
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
    ],
)
async def test_digest(call: Call, name: Any, expected: str) -> None:
    assert unhexed((await call("digest", algorithm=name, data=b64(b"abc")))["data"]) == expected


async def test_digest_of_much(call: Call) -> None:
    """Beyond what is computed on the loop."""
    assert unhexed((await call("digest", algorithm="SHA-256", data=b64(b"a" * 1_000_000)))["data"]) == (
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    )


async def test_hmac_rfc_4231(call: Call) -> None:
    key = await secret(call, hexed("0b" * 20), {"name": "HMAC", "hash": "SHA-256"}, "sign", "verify")
    assert key["algorithm"] == {"name": "HMAC", "hash": {"name": "SHA-256"}, "length": 160}
    data = b64(b"Hi There")
    signature = (await call("sign", algorithm="HMAC", key=key, data=data))["data"]
    assert unhexed(signature) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert (await call("verify", algorithm="HMAC", key=key, data=data, signature=signature))["valid"] is True
    assert (await call("verify", algorithm="HMAC", key=key, data=b64(b"x"), signature=signature))["valid"] is False


async def test_aes_gcm_nist(call: Call) -> None:
    """Test case 4 of the GCM specification."""
    key = await secret(call, hexed("feffe9928665731c6d6a8f9467308308"), "AES-GCM", "encrypt", "decrypt")
    algorithm = {
        "name": "AES-GCM",
        "iv": hexed("cafebabefacedbaddecaf888"),
        "additionalData": hexed("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    }
    plain = hexed(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = (await call("encrypt", algorithm=algorithm, key=key, data=plain))["data"]
    assert unhexed(sealed) == (
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47"
    )
    assert (await call("decrypt", algorithm=algorithm, key=key, data=sealed))["data"] == plain
    short = {**algorithm, "tagLength": 96}
    sealed_short = (await call("encrypt", algorithm=short, key=key, data=plain))["data"]
    assert unhexed(sealed_short) == unhexed(sealed)[:-8]
    assert (await call("decrypt", algorithm=short, key=key, data=sealed_short))["data"] == plain
    changed = bytearray(base64.b64decode(sealed))
    changed[0] ^= 1
    assert await code_of(call("decrypt", algorithm=algorithm, key=key, data=b64(bytes(changed)))) == "OPERATION_ERROR"
    assert await code_of(call("decrypt", algorithm=algorithm, key=key, data=b64(b"short"))) == "OPERATION_ERROR"
    assert await code_of(call("encrypt", algorithm={**algorithm, "tagLength": 8}, key=key, data=plain)) == (
        "OPERATION_ERROR"
    )


BLOCKS = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
KEY_128 = "2b7e151628aed2a6abf7158809cf4f3c"


async def test_aes_cbc_nist(call: Call) -> None:
    key = await secret(call, hexed(KEY_128), "AES-CBC", "encrypt", "decrypt")
    algorithm = {"name": "AES-CBC", "iv": hexed("000102030405060708090a0b0c0d0e0f")}
    sealed = (await call("encrypt", algorithm=algorithm, key=key, data=hexed(BLOCKS)))["data"]
    assert unhexed(sealed)[:64] == "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    assert unhexed((await call("decrypt", algorithm=algorithm, key=key, data=sealed))["data"]) == BLOCKS
    assert await code_of(call("decrypt", algorithm=algorithm, key=key, data=b64(b"x" * 15))) == "OPERATION_ERROR"
    assert await code_of(call("encrypt", algorithm={**algorithm, "iv": ""}, key=key, data="")) == "OPERATION_ERROR"


async def test_aes_ctr_nist(call: Call) -> None:
    key = await secret(call, hexed(KEY_128), "AES-CTR", "encrypt", "decrypt")
    algorithm = {"name": "AES-CTR", "counter": hexed("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), "length": 128}
    sealed = (await call("encrypt", algorithm=algorithm, key=key, data=hexed(BLOCKS)))["data"]
    assert unhexed(sealed) == "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
    assert unhexed((await call("decrypt", algorithm=algorithm, key=key, data=sealed))["data"]) == BLOCKS


async def test_aes_ctr_wraps_within_its_length(call: Call) -> None:
    key = await secret(call, hexed(KEY_128), "AES-CTR", "encrypt", "decrypt")

    async def stream(counter: str, length: int, blocks: int) -> str:
        algorithm = {"name": "AES-CTR", "counter": hexed(counter), "length": length}
        return unhexed((await call("encrypt", algorithm=algorithm, key=key, data=b64(bytes(16 * blocks))))["data"])

    last, first = "ff" * 16, "ff" * 15 + "00"
    wrapped = await stream(last, 8, 3)
    assert wrapped == await stream(last, 8, 1) + await stream(first, 8, 2)
    assert await code_of(stream(last, 1, 3)) == "OPERATION_ERROR"
    assert await code_of(stream(last, 129, 1)) == "OPERATION_ERROR"


async def test_aes_kw_rfc_3394(call: Call) -> None:
    wrapping = await secret(call, hexed("000102030405060708090a0b0c0d0e0f"), "AES-KW", "wrapKey", "unwrapKey")
    key = await secret(call, hexed("00112233445566778899aabbccddeeff"), "AES-GCM", "encrypt")
    wrapped = (await call("wrapKey", format="raw", key=key, wrapping_key=wrapping, algorithm="AES-KW"))["data"]
    assert unhexed(wrapped) == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
    args = {"unwrapping_key": wrapping, "algorithm": "AES-KW", "unwrapped_algorithm": "AES-GCM", "extractable": True}
    unwrapped = await call("unwrapKey", format="raw", data=wrapped, usages=["encrypt"], **args)
    assert unwrapped["key"] == key
    assert await code_of(call("unwrapKey", format="raw", data=b64(bytes(24)), usages=["encrypt"], **args)) == (
        "OPERATION_ERROR"
    )
    wrapped = (await call("wrapKey", format="jwk", key=key, wrapping_key=wrapping, algorithm="AES-KW"))["data"]
    assert (await call("unwrapKey", format="jwk", data=wrapped, usages=["encrypt"], **args))["key"] == key


async def test_hkdf_rfc_5869(call: Call) -> None:
    key = await secret(call, hexed("0b" * 22), "HKDF", "deriveBits", "deriveKey", extractable=False)
    algorithm = {
        "name": "HKDF",
        "hash": "SHA-256",
        "salt": hexed("000102030405060708090a0b0c"),
        "info": hexed("f0f1f2f3f4f5f6f7f8f9"),
    }
    derived = (await call("deriveBits", algorithm=algorithm, key=key, length=336))["data"]
    assert unhexed(derived) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    for length in (None, 7, 8 * 255 * 32 + 8):
        assert await code_of(call("deriveBits", algorithm=algorithm, key=key, length=length)) == "OPERATION_ERROR"
    made = await call(
        "deriveKey",
        algorithm=algorithm,
        key=key,
        derived_algorithm={"name": "AES-GCM", "length": 256},
        extractable=True,
        usages=["encrypt"],
    )
    assert unhexed(made["key"]["data"]) == unhexed(derived)[:64]
    made = await call(
        "deriveKey",
        algorithm=algorithm,
        key=key,
        derived_algorithm={"name": "HMAC", "hash": "SHA-384"},
        extractable=True,
        usages=["sign"],
    )
    assert made["key"]["algorithm"]["length"] == 1024


async def test_pbkdf2_rfc_6070(call: Call) -> None:
    key = await secret(call, b64(b"password"), "PBKDF2", "deriveBits", extractable=False)
    algorithm = {"name": "PBKDF2", "hash": "SHA-1", "salt": b64(b"salt"), "iterations": 4096}
    derived = (await call("deriveBits", algorithm=algorithm, key=key, length=160))["data"]
    assert unhexed(derived) == "4b007901b765489abead49d926f721d065a429c1"
    for wrong in ({"iterations": 0}, {"iterations": 10**9}):
        assert await code_of(call("deriveBits", algorithm={**algorithm, **wrong}, key=key, length=160)) == (
            "OPERATION_ERROR"
        )


async def test_long_computations_leave_the_loop_free(call: Call) -> None:
    key = await secret(call, b64(b"password"), "PBKDF2", "deriveBits", extractable=False)
    algorithm = {"name": "PBKDF2", "hash": "SHA-512", "salt": b64(b"salt"), "iterations": 600_000}
    work = asyncio.gather(*(call("deriveBits", algorithm=algorithm, key=key, length=512) for _ in range(3)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert len({answer["data"] for answer in await work}) == 1
    assert turns > 20  # computed on the loop, the three would leave it two turns


async def test_ed25519_rfc_8032(call: Call) -> None:
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": base64.urlsafe_b64encode(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
        .decode()
        .rstrip("="),
        "x": base64.urlsafe_b64encode(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
        .decode()
        .rstrip("="),
    }
    args: dict[str, Any] = {"format": "jwk", "algorithm": "Ed25519", "extractable": True}
    private = (await call("importKey", key_data=jwk, usages=["sign"], **args))["key"]
    signature = (await call("sign", algorithm="Ed25519", key=private, data=hexed("72")))["data"]
    assert unhexed(signature) == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    del jwk["d"]
    public = (await call("importKey", key_data=jwk, usages=["verify"], **args))["key"]
    verified = await call("verify", algorithm="Ed25519", key=public, signature=signature, data=hexed("72"))
    assert verified["valid"] is True
    verified = await call("verify", algorithm="Ed25519", key=public, signature=b64(b"x"), data=hexed("72"))
    assert verified["valid"] is False


async def pair(call: Call, algorithm: Any, *usages: str) -> tuple[Any, Any]:
    made = await call("generateKey", algorithm=algorithm, extractable=True, usages=usages)
    return made["private_key"], made["public_key"]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("hash", HASHES)
async def test_ecdsa(call: Call, curve: str, hash: str) -> None:
    private, public = await pair(call, {"name": "ECDSA", "namedCurve": curve}, "sign", "verify")
    assert (private["usages"], public["usages"]) == (["sign"], ["verify"])
    algorithm = {"name": "ECDSA", "hash": {"name": hash}}
    signature = (await call("sign", algorithm=algorithm, key=private, data=b64(b"x")))["data"]
    assert len(base64.b64decode(signature)) == {"P-256": 64, "P-384": 96, "P-521": 132}[curve]
    for data, sent, valid in ((b"x", signature, True), (b"y", signature, False), (b"x", b64(bytes(64)), False)):
        answer = await call("verify", algorithm=algorithm, key=public, data=b64(data), signature=sent)
        assert answer["valid"] is valid


@pytest.mark.parametrize(
    "algorithm", [*({"name": "ECDH", "namedCurve": curve} for curve in CURVES), {"name": "X25519"}]
)
async def test_agreement(call: Call, algorithm: Any) -> None:
    private_a, public_a = await pair(call, algorithm, "deriveBits")
    private_b, public_b = await pair(call, algorithm, "deriveBits")
    name = algorithm["name"]

    async def bits(private: Any, public: Any, length: int | None) -> bytes:
        args = {"algorithm": {"name": name, "public": public}, "key": private, "length": length}
        return base64.b64decode((await call("deriveBits", **args))["data"])

    shared = await bits(private_a, public_b, None)
    assert shared == await bits(private_b, public_a, None)
    assert await bits(private_a, public_b, 128) == shared[:16]
    odd = await bits(private_a, public_b, 13)
    assert odd == bytes((shared[0], shared[1] & 0xF8))
    assert await code_of(bits(private_a, public_b, 8 * len(shared) + 8)) == "OPERATION_ERROR"
    assert await code_of(bits(private_a, private_b, None)) == "INVALID_ACCESS_ERROR"


async def test_agreement_needs_one_curve(call: Call) -> None:
    private, _ = await pair(call, {"name": "ECDH", "namedCurve": "P-256"}, "deriveBits")
    _, public = await pair(call, {"name": "ECDH", "namedCurve": "P-384"}, "deriveBits")
    args = {"algorithm": {"name": "ECDH", "public": public}, "key": private, "length": None}
    assert await code_of(call("deriveBits", **args)) == "INVALID_ACCESS_ERROR"


RSA = {"modulusLength": 2048, "publicExponent": EXPONENT}


@pytest.mark.parametrize("name", ["RSASSA-PKCS1-v1_5", "RSA-PSS"])
async def test_rsa_signatures(call: Call, name: str) -> None:
    private, public = await pair(call, {"name": name, "hash": "SHA-256", **RSA}, "sign", "verify")
    assert private["algorithm"] == {"name": name, "hash": {"name": "SHA-256"}, **RSA}
    algorithm = {"name": name, "saltLength": 32}
    signature = (await call("sign", algorithm=algorithm, key=private, data=b64(b"x")))["data"]
    for data, valid in ((b"x", True), (b"y", False)):
        answer = await call("verify", algorithm=algorithm, key=public, data=b64(data), signature=signature)
        assert answer["valid"] is valid
    await roundtrips(call, private, ["sign"])
    await roundtrips(call, public, ["verify"])
    if name == "RSA-PSS":
        args = {"key": private, "data": b64(b"x")}
        assert await code_of(call("sign", algorithm={"name": name, "saltLength": 10_000}, **args)) == "OPERATION_ERROR"
        assert await code_of(call("sign", algorithm=name, **args)) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("hash", HASHES)
async def test_rsa_oaep(call: Call, hash: str) -> None:
    usages = ("encrypt", "decrypt", "wrapKey", "unwrapKey")
    private, public = await pair(call, {"name": "RSA-OAEP", "hash": hash, **RSA}, *usages)
    algorithm = {"name": "RSA-OAEP", "label": b64(b"label")}
    sealed = (await call("encrypt", algorithm=algorithm, key=public, data=b64(b"secret")))["data"]
    assert (await call("decrypt", algorithm=algorithm, key=private, data=sealed))["data"] == b64(b"secret")
    assert await code_of(call("decrypt", algorithm="RSA-OAEP", key=private, data=sealed)) == "OPERATION_ERROR"
    assert await code_of(call("encrypt", algorithm=algorithm, key=public, data=b64(bytes(300)))) == "OPERATION_ERROR"
    assert await code_of(call("encrypt", algorithm=algorithm, key=private, data="")) == "INVALID_ACCESS_ERROR"
    key = await secret(call, b64(bytes(32)), "AES-GCM", "encrypt")
    wrapped = (await call("wrapKey", format="raw", key=key, wrapping_key=public, algorithm=algorithm))["data"]
    unwrapped = await call(
        "unwrapKey",
        format="raw",
        data=wrapped,
        unwrapping_key=private,
        algorithm=algorithm,
        unwrapped_algorithm="AES-GCM",
        extractable=True,
        usages=["encrypt"],
    )
    assert unwrapped["key"] == key
    await roundtrips(call, private, ["decrypt", "unwrapKey"])


async def roundtrips(call: Call, key: Any, usages: list[str]) -> None:
    """Out and in again in each format that the key has."""
    own = {"secret": "raw", "private": "pkcs8", "public": "spki"}[key["type"]]
    formats = [own, "jwk"]
    if key["type"] == "public" and not key["algorithm"]["name"].startswith("RSA"):
        formats.append("raw")
    for format in formats:
        exported = await call("exportKey", format=format, key=key)
        data = exported["jwk"] if format == "jwk" else exported["data"]
        args = {"algorithm": key["algorithm"], "extractable": True, "usages": usages}
        assert (await call("importKey", format=format, key_data=data, **args))["key"] == key, format
    for format in {"raw", "pkcs8", "spki"} - set(formats):
        assert await code_of(call("exportKey", format=format, key=key)) in (
            "INVALID_ACCESS_ERROR",
            "NOT_SUPPORTED_ERROR",
        )


@pytest.mark.parametrize(
    ("algorithm", "private_usages", "public_usages"),
    [
        *(({"name": "ECDSA", "namedCurve": curve}, ["sign"], ["verify"]) for curve in CURVES),
        *(({"name": "ECDH", "namedCurve": curve}, ["deriveKey", "deriveBits"], []) for curve in CURVES),
        ({"name": "ed25519"}, ["sign"], ["verify"]),
        ({"name": "X25519"}, ["deriveBits"], []),
    ],
)
async def test_pairs_out_and_in(call: Call, algorithm: Any, private_usages: Any, public_usages: Any) -> None:
    private, public = await pair(call, algorithm, *private_usages, *public_usages)
    assert (private["usages"], public["usages"]) == (private_usages, public_usages)
    await roundtrips(call, private, private_usages)
    await roundtrips(call, public, public_usages)


@pytest.mark.parametrize(
    ("algorithm", "usages"),
    [
        *(({"name": f"AES-{mode}", "length": 192}, ["encrypt", "decrypt"]) for mode in ("GCM", "CBC", "CTR")),
        ({"name": "AES-KW", "length": 256}, ["wrapKey", "unwrapKey"]),
        *(({"name": "HMAC", "hash": {"name": hash}}, ["sign", "verify"]) for hash in HASHES),
    ],
)
async def test_secrets_out_and_in(call: Call, algorithm: Any, usages: Any) -> None:
    key = (await call("generateKey", algorithm=algorithm, extractable=True, usages=usages))["key"]
    again = (await call("generateKey", algorithm=algorithm, extractable=True, usages=usages))["key"]
    assert key["data"] != again["data"]
    await roundtrips(call, key, usages)


async def test_keys_keep_to_what_they_are_for(call: Call) -> None:
    key = await secret(call, b64(bytes(32)), {"name": "HMAC", "hash": "SHA-256"}, "sign", extractable=False)
    assert await code_of(call("exportKey", format="raw", key=key)) == "INVALID_ACCESS_ERROR"
    verify = call("verify", algorithm="HMAC", key=key, data="", signature="")
    assert await code_of(verify) == "INVALID_ACCESS_ERROR"
    assert await code_of(call("sign", algorithm="ECDSA", key=key, data="")) == "INVALID_ACCESS_ERROR"
    assert await code_of(call("encrypt", algorithm="AES-GCM", key=key, data="")) == "INVALID_ACCESS_ERROR"
    assert await code_of(call("deriveBits", algorithm="HKDF", key=key, length=8)) == "INVALID_ACCESS_ERROR"


AES = {"format": "raw", "key_data": b64(bytes(16)), "algorithm": "AES-GCM", "extractable": True, "usages": ["encrypt"]}
OCT = {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"usages": []}, "SYNTAX_ERROR"),
        ({"usages": ["sign"]}, "SYNTAX_ERROR"),
        ({"usages": ["fly"]}, "INVALID_ARGUMENT"),
        ({"key_data": b64(bytes(15))}, "DATA_ERROR"),
        ({"key_data": "***"}, "INVALID_ARGUMENT"),
        ({"algorithm": "AES-XYZ"}, "NOT_SUPPORTED_ERROR"),
        ({"algorithm": 5}, "INVALID_ARGUMENT"),
        ({"format": "pkcs8"}, "NOT_SUPPORTED_ERROR"),
        ({"format": "pem"}, "NOT_SUPPORTED_ERROR"),
        ({"format": "jwk"}, "INVALID_ARGUMENT"),
        ({"format": "jwk", "key_data": {}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "kty": "RSA"}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "alg": "A256GCM"}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "use": "sig"}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "key_ops": ["decrypt"]}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "ext": False}}, "DATA_ERROR"),
        ({"format": "jwk", "key_data": {**OCT, "k": "!"}}, "DATA_ERROR"),
        ({"algorithm": {"name": "HMAC", "hash": "MD5"}, "usages": ["sign"]}, "NOT_SUPPORTED_ERROR"),
        ({"algorithm": {"name": "HMAC", "hash": "SHA-1", "length": 5}, "usages": ["sign"]}, "DATA_ERROR"),
        ({"algorithm": "HKDF", "usages": ["deriveBits"]}, "SYNTAX_ERROR"),
        ({"algorithm": {"name": "ECDSA", "namedCurve": "P-255"}, "usages": ["verify"]}, "NOT_SUPPORTED_ERROR"),
        ({"algorithm": {"name": "ECDSA", "namedCurve": "P-256"}, "usages": ["verify"]}, "DATA_ERROR"),
        ({"algorithm": "Ed25519", "usages": ["verify"]}, "DATA_ERROR"),
        ({"algorithm": {"name": "RSA-PSS", "hash": "SHA-256"}, "format": "spki", "usages": ["verify"]}, "DATA_ERROR"),
        ({"algorithm": {"name": "RSA-PSS", "hash": "SHA-256"}, "format": "pkcs8", "usages": ["sign"]}, "DATA_ERROR"),
    ],
)
async def test_import_refused(call: Call, change: Any, code: str) -> None:
    assert await code_of(call("importKey", **{**AES, **change})) == code


@pytest.mark.parametrize(
    ("algorithm", "usages", "code"),
    [
        ({"name": "AES-GCM", "length": 100}, ["encrypt"], "OPERATION_ERROR"),
        ({"name": "HMAC", "hash": "SHA-256", "length": 0}, ["sign"], "OPERATION_ERROR"),
        ({"name": "HKDF"}, ["deriveBits"], "NOT_SUPPORTED_ERROR"),
        ({"name": "ECDSA", "namedCurve": "P-256"}, ["verify"], "SYNTAX_ERROR"),
        ({"name": "ECDSA", "namedCurve": "P-256"}, ["sign", "encrypt"], "SYNTAX_ERROR"),
        (
            {"name": "RSA-PSS", "hash": "SHA-256", "modulusLength": 512, "publicExponent": EXPONENT},
            ["sign"],
            "OPERATION_ERROR",
        ),
        (
            {"name": "RSA-PSS", "hash": "SHA-256", "modulusLength": 65536, "publicExponent": EXPONENT},
            ["sign"],
            "OPERATION_ERROR",
        ),
        (
            {"name": "RSA-PSS", "hash": "SHA-256", "modulusLength": 2048, "publicExponent": "AQ=="},
            ["sign"],
            "OPERATION_ERROR",
        ),
    ],
)
async def test_generate_refused(call: Call, algorithm: Any, usages: Any, code: str) -> None:
    assert await code_of(call("generateKey", algorithm=algorithm, extractable=True, usages=usages)) == code


async def test_a_key_on_another_curve(call: Call) -> None:
    private, _ = await pair(call, {"name": "ECDSA", "namedCurve": "P-384"}, "sign")
    args = {"format": "pkcs8", "key_data": private["data"], "extractable": True, "usages": ["sign"]}
    assert await code_of(call("importKey", algorithm={"name": "ECDSA", "namedCurve": "P-256"}, **args)) == "DATA_ERROR"
    assert await code_of(call("importKey", algorithm="Ed25519", **args)) == "DATA_ERROR"
