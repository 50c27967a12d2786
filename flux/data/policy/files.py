"""The project's folder `policies/`: one TOML file per table, named like it (`users.toml`, `billing.invoices.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flux.errors import ConfigError

from .document import MAX_DOCUMENT_BYTES

FOLDER = "policies"


def read_folder(folder: Path) -> Mapping[str, dict[str, Any]]:
    """Documents by table; none when there is no such folder. Raises ConfigError naming file and place."""
    documents = {}
    for path in sorted(folder.glob("*.toml")):
        documents[path.stem] = read_file(path)
    return documents


def read_file(path: Path) -> dict[str, Any]:
    """Raises ConfigError naming file and place."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_DOCUMENT_BYTES:
            raise ConfigError(f"{path}: {len(content)} bytes; {MAX_DOCUMENT_BYTES} are allowed")
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
