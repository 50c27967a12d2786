"""The operator key: who has it may use the management API. One line in the data folder, readable by its owner only."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from flux.errors import LocalError, Unauthenticated
from flux.master.http.mounts import Guard

FILE_NAME = "operator.key"
PREFIX = "fluxop_"
SECRET_BYTES = 32
OWNER_ONLY = 0o600


def operator_key(data: Path) -> str:
    """The key in this data folder; made at the first start. Raises LocalError when it cannot be read or written."""
    path = data / FILE_NAME
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        except FileExistsError:
            return _existing(path)
        key = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with os.fdopen(file, "w") as stream:
            stream.write(key + "\n")
        return key
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None


def _existing(path: Path) -> str:
    # Restored from a backup or copied, the file may have become readable by others.
    path.chmod(OWNER_ONLY)
    key = path.read_text().strip()
    if len(key) < SECRET_BYTES:
        raise LocalError(f"{path} holds no key; delete it, and the next start makes a new one.")
    return key


def operator_guard(key: str) -> Guard:
    """Lets pass who sends `authorization: Bearer <key>`; compares in constant time."""
    expected = key.encode()

    def guard(headers: Mapping[str, str]) -> None:
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode("utf-8", "replace"), expected):
            raise Unauthenticated(
                f"The management API needs the operator key: 'Authorization: Bearer <key>'; it is in {FILE_NAME} of "
                "the data folder.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return guard
