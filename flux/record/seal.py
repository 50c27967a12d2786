"""Key material in a record: encrypted with a key that only this installation's data folder holds.

A replay needs what `crypto.subtle` answered, keys included; nobody else does. AES-SIV (RFC 5297) needs no nonce, which
many workers would have to agree on, and gives the same text for the same value, so that two runs can be compared.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

FILE_NAME: Final = "seal.key"
KEY_BYTES: Final = 64
OWNER_ONLY: Final = 0o600
SEALED: Final = "$sealed"


class Seal:
    """`key` has 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def close(self, value: bytes) -> bytes:
        """JSON text as the JSON text that may be recorded in its place."""
        return orjson.dumps({SEALED: base64.b64encode(self._cipher.encrypt(value, None)).decode()})

    def open(self, recorded: Any) -> bytes | None:
        """What was sealed; None when `recorded` is no sealed value, or was sealed with another key."""
        if not isinstance(recorded, dict) or recorded.keys() != {SEALED}:
            return None
        try:
            return self._cipher.decrypt(base64.b64decode(recorded[SEALED]), None)
        except (InvalidTag, ValueError, TypeError):
            return None


def seal_key(data: Path) -> bytes:
    """The key in this data folder; made at the first start, before any worker asks for it."""
    path = data / FILE_NAME
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(file, "wb") as stream:
        stream.write(os.urandom(KEY_BYTES))
    return path.read_bytes()
