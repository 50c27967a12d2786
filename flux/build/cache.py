"""Which functions need no build: what each was made of, and the hashes of that.

One small file per function in `<builds>/.inputs/`. An entry holds as long as every input is what it was; it may be
deleted at any time, which costs a build.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from flux.build import store
from flux.build.deno import tool_version
from flux.build.discover import Function
from flux.build.imports import config_files, lock_path, uses_installed
from flux.build.project import Project

# To be raised when the same input gives another bundle.
FORMAT = 1
_FOLDER = ".inputs"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a build was made of. Paths are absolute.

    `inputs` maps the function's own files to SHA-256; `installed` maps files in node_modules, of which there are
    hundreds that people do not edit, to size and modification time. `checked` tells whether the types were checked.
    """

    key: str
    entry: str
    inputs: Mapping[str, str]
    installed: Mapping[str, str]
    version: str
    checked: bool


class Cache:
    """The entries of one project. Files are hashed once per instance: make a new one for each build."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._folder = project.builds / _FOLDER
        self._hashes: dict[Path, str] = {}

    def key(self) -> str:
        """Hash of what all functions depend on: tool, settings, package and lock files."""
        parts = [str(FORMAT), tool_version(), str(uses_installed(self._project)), str(self._project.functions)]
        parts += [json.dumps(dict(self._project.env), sort_keys=True)]
        parts += [f"{path}={_hash(path)}" for path in (*config_files(self._project), lock_path(self._project))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def find(self, function: Function, key: str) -> Entry | None:
        """The entry, if the function can be used as it was built."""
        entry = self.recorded(function.name)
        if entry is None or entry.key != key or entry.entry != str(function.entry):
            return None
        if any(self.hash(Path(path)) != known for path, known in entry.inputs.items()):
            return None
        if any(stamp(Path(path)) != known for path, known in entry.installed.items()):
            return None
        return entry if store.has(self._project.builds, entry.version) else None

    def recorded(self, name: str) -> Entry | None:
        """The entry as written, whether it still holds or not."""
        try:
            return Entry(**json.loads((self._folder / f"{name}.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            # Missing, torn or of another release: the same as never built.
            return None

    def all(self) -> dict[str, Entry]:
        """Every entry as written, by function; also of functions that are gone."""
        names = [path.stem for path in self._folder.glob("*.json")]
        return {name: entry for name in names if (entry := self.recorded(name))}

    def put(self, name: str, entry: Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.json"
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text(json.dumps(asdict(entry)))
        aside.replace(path)

    def hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        return {str(path): self.hash(path) for path in sorted(paths)}

    def hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = _hash(path)
        return self._hashes[path]


def stamp(path: Path) -> str:
    """Size and modification time (ns) of a file; empty when there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _hash(path: Path) -> str:
    """SHA-256 of a file; empty when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
