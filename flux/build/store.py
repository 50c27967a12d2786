"""The store of builds: `<data>/builds/<version>/{bundle.js, bundle.js.map, meta.json}`.

A build is there whole or not at all (written aside, then renamed), and never changes: its name is its content's hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flux.errors import NotFound

BUNDLE, MAP, META = "bundle.js", "bundle.js.map", "meta.json"
_VERSION = re.compile(r"[0-9a-f]{64}")
_SCRATCH_PREFIX = ".scratch-"
_SCRATCH_AGE_S = 3600  # what a killed build left behind; no build takes this long


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is stored under a version. `meta` is for people: name, source, tool."""

    version: str
    bundle: bytes
    source_map: bytes
    meta: Mapping[str, Any]


def version_of(bundle: bytes, env: Mapping[str, str]) -> str:
    """SHA-256 (hex) of bundle and env: what decides how a function behaves."""
    digest = hashlib.sha256(bundle)
    digest.update(b"\0")
    digest.update(json.dumps(dict(env), sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def save(builds: Path, build: Build) -> None:
    """Stores the build; nothing to do when it is there."""
    if has(builds, build.version):
        return
    with scratch(builds) as folder:
        aside = folder / build.version
        aside.mkdir()
        _write(aside / BUNDLE, build.bundle)
        _write(aside / MAP, build.source_map)
        _write(aside / META, json.dumps(dict(build.meta), indent=1).encode())
        _sync(aside)
        try:
            aside.rename(builds / build.version)
        except OSError:
            # Another process stored the same content meanwhile; anything else is an error.
            if not has(builds, build.version):
                raise
        _sync(builds)


def has(builds: Path, version: str) -> bool:
    return (_folder(builds, version) / BUNDLE).is_file()


def load_bundle(builds: Path, version: str) -> str:
    """The bundle's text. Raises NotFound."""
    return _read(builds, version, BUNDLE).decode()


def load_map(builds: Path, version: str) -> bytes:
    """The source map's JSON text. Raises NotFound."""
    return _read(builds, version, MAP)


@contextmanager
def scratch(builds: Path) -> Iterator[Path]:
    """A temporary folder in the store's file system, so that what is made there can be renamed into the store."""
    builds.mkdir(parents=True, exist_ok=True)
    for left in builds.glob(f"{_SCRATCH_PREFIX}*"):
        if _age_s(left) > _SCRATCH_AGE_S:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=builds))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(builds: Path, version: str) -> Path:
    # A version also comes from the API: nothing but a hash may become part of a path.
    if not _VERSION.fullmatch(version):
        raise NotFound(f'"{version}" is not a code version')
    return builds / version


def _read(builds: Path, version: str, name: str) -> bytes:
    try:
        return (_folder(builds, version) / name).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no build {version} in {builds}") from None


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
