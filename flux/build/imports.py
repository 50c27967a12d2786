"""How bare imports are resolved: the import map that is handed to the tool.

`flux` is Flux's own module. What the project declares itself comes next, from package.json (read by the tool) or the
`imports` of deno.json. Any other package name means the npm package of that name: nothing need be installed or
declared; the version that was found first stays, through the lock file (`flux.lock`, or the project's deno.lock).

A project with package.json **and** node_modules is different: what is installed there is what counts, nothing else.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from flux.build.diagnostics import Diagnostic, failed
from flux.build.project import Project
from flux.build.sdk import GENERATED_TYPES, sdk_folder

SDK_NAME = "flux"
LOCK = "flux.lock"
_DENO_LOCK = "deno.lock"
_DENO_CONFIGS = ("deno.json", "deno.jsonc")

_PACKAGE = re.compile(r"((?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)(?:/.*)?")
_LOCKED = re.compile(r"npm:(.+)@\*")
_JSONC_NOISE = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def package_of(specifier: str) -> str | None:
    """The npm package that a bare import names: "@scope/a/b" -> "@scope/a"; None if it cannot be one ("./a", "#a")."""
    match = _PACKAGE.fullmatch(specifier)
    return match[1] if match else None


def uses_installed(project: Project) -> bool:
    """Whether packages come from node_modules (beside the project's package.json or above it)."""
    return (project.folder / "package.json").is_file() and any(
        (folder / "node_modules").is_dir() for folder in (project.folder, *project.folder.parents)
    )


def lock_path(project: Project) -> Path:
    """The lock file: the project's own deno.lock if it has one, else flux.lock (in the data folder if need be)."""
    own = project.folder / _DENO_LOCK
    if own.is_file():
        return own
    writable = os.access(project.folder, os.W_OK)
    return (project.folder if writable or (project.folder / LOCK).is_file() else project.builds) / LOCK


def tool_arguments(project: Project, import_map: Path) -> list[str]:
    """The arguments that make every command of the tool resolve imports alike."""
    if uses_installed(project):
        return [f"--import-map={import_map}", "--node-modules-dir=manual", "--no-lock"]
    return [f"--import-map={import_map}", "--node-modules-dir=none", f"--lock={lock_path(project)}"]


def locked_packages(project: Project) -> set[str]:
    """Undeclared packages that earlier builds found, so that this one need not find them again."""
    if uses_installed(project):
        return set()
    lock = _object(lock_path(project))
    found = {match[1] for match in map(_LOCKED.fullmatch, lock.get("specifiers", {})) if match}
    package = _object(project.folder / "package.json")
    return found - {*package.get("dependencies", {}), *package.get("devDependencies", {})}


def write_import_map(project: Project, packages: Iterable[str], path: Path) -> None:
    imports = {name: f"npm:{name}" for name in sorted(packages)}
    declared, scopes = _declared(project)
    imports = {**imports, **declared, SDK_NAME: (sdk_folder() / "flux.ts").as_uri()}
    path.write_text(json.dumps({"imports": dict(_with_subpaths(imports)), "scopes": scopes}, indent=1))


def config_files(project: Project) -> Iterator[Path]:
    """The files whose content decides how imports are resolved and compiled; whether they exist or not."""
    configs = [_deno_config(project)] if _deno_config(project) else []
    names = ("package.json", "tsconfig.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock")
    yield from (path for path in configs if path)
    yield from (project.folder / name for name in names)
    yield project.folder / "node_modules" / ".package-lock.json"
    yield project.folder / GENERATED_TYPES
    yield from (sdk_folder() / name for name in ("flux.ts", "schema.ts", "query.ts"))


def _declared(project: Project) -> tuple[dict[str, str], dict[str, Any]]:
    """`imports` and `scopes` of deno.json: an import map on the command line replaces them, so they go into ours."""
    path = _deno_config(project)
    if path is None:
        return {}, {}
    config = _object(path)
    if isinstance(config.get("importMap"), str):
        path = path.parent / config["importMap"]
        config = _object(path)
    base = path.as_uri()
    scopes = {urljoin(base, scope): _absolute(base, entries) for scope, entries in config.get("scopes", {}).items()}
    return _absolute(base, config.get("imports", {})), scopes


def _absolute(base: str, imports: dict[str, str]) -> dict[str, str]:
    return {
        name: urljoin(base, target) if target.startswith((".", "/")) else target for name, target in imports.items()
    }


def _with_subpaths(imports: dict[str, str]) -> Iterator[tuple[str, str]]:
    """ "zod": "npm:zod@4" also stands for "zod/mini", as it does in deno.json but not in a bare import map."""
    for name, target in imports.items():
        yield name, target
        scheme, colon, package = target.partition(":")
        if scheme in ("npm", "jsr") and colon and not name.endswith("/") and f"{name}/" not in imports:
            yield f"{name}/", f"{scheme}:/{package.removeprefix('/')}/"


def _deno_config(project: Project) -> Path | None:
    for folder in (project.folder, *project.folder.parents):
        for name in _DENO_CONFIGS:
            if (folder / name).is_file():
                return folder / name
    return None


def _object(path: Path) -> dict[str, Any]:
    """The JSON object (comments allowed) in this file; empty if there is no file. Raises BuildFailed."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise failed([Diagnostic(file=str(path), message=f"cannot be read: {error}")]) from None
    text = _TRAILING_COMMA.sub(r"\1", _JSONC_NOISE.sub(r"\1", text))
    try:
        value = json.loads(text)
    except ValueError as error:
        raise failed([Diagnostic(file=str(path), message=f"not valid JSON: {error}")]) from None
    if not isinstance(value, dict):
        raise failed([Diagnostic(file=str(path), message="must be a JSON object")])
    return value
