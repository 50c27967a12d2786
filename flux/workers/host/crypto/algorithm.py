"""WebCrypto's algorithm dictionaries, and its errors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes

from flux.failure import HostError, invalid

Algorithm = Mapping[str, Any]

# S303 and its like warn of SHA-1; the standard has it, and old signatures are still verified with it.
HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-1": hashes.SHA1(),  # noqa: S303
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


def operation_error(message: str) -> HostError:
    return HostError("OPERATION_ERROR", 500, message)


def data_error(message: str) -> HostError:
    return HostError("DATA_ERROR", 500, message)


def not_supported(message: str) -> HostError:
    return HostError("NOT_SUPPORTED_ERROR", 500, message)


def invalid_access(message: str) -> HostError:
    return HostError("INVALID_ACCESS_ERROR", 500, message)


def syntax_error(message: str) -> HostError:
    return HostError("SYNTAX_ERROR", 500, message)


def dictionary(value: Any) -> Algorithm:
    """An algorithm given as a name or as a dictionary with one."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return value
    raise invalid('"algorithm" must be a name, or an object with a name.')


def hash_name(algorithm: Algorithm) -> str:
    """The name of the member `hash`, in its standard spelling."""
    return canonical_hash(dictionary(algorithm.get("hash") or "")["name"])


def canonical_hash(name: str) -> str:
    if name.upper() not in HASHES:
        raise not_supported(f'There is no hash "{name}"; there are {", ".join(HASHES)}.')
    return name.upper()


def decoded(value: Any, name: str) -> bytes:
    """Bytes that travel in base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid(f'"{name}" must be bytes in base64.') from None


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def octets(algorithm: Algorithm, name: str, default: bytes | None = None) -> bytes:
    """A member that holds bytes; required unless there is a default."""
    if algorithm.get(name) is None and default is not None:
        return default
    return decoded(algorithm.get(name), f"algorithm.{name}")


def number(algorithm: Algorithm, name: str, default: int | None = None) -> int:
    """A member that is a whole number; required unless there is a default."""
    value = algorithm.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f'"algorithm.{name}" must be a whole number.')
    return value
