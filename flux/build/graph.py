"""Which files and packages the functions consist of, and what in there is missing; from `deno info --json`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flux.build.diagnostics import Diagnostic, located, parse
from flux.build.imports import package_of

# As the tool words them, with what to do about it in our words.
_UNDECLARED = "not a dependency"
_NOT_INSTALLED = "node_modules/ directory to be up to date"


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import statement: where it stands (line and column from 1) and what it names."""

    path: Path
    line: int
    column: int
    specifier: str
    target: str
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A node of the graph. `path` is None for what is no local file of the project (packages, URLs)."""

    url: str
    kind: str
    path: Path | None
    imports: tuple[Import, ...]
    error: str


class Graph:
    """The modules of all functions of a build, by URL; `packages` maps folders to what they hold ("zod@4.6.7")."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._redirects: dict[str, str] = document.get("redirects", {})
        self._modules = {entry["specifier"]: _module(entry) for entry in document.get("modules", ())}
        self.packages = {
            Path(package["localPath"]): name
            for name, package in document.get("npmPackages", {}).items()
            if package.get("localPath")
        }

    def modules(self, entry: Path) -> Iterator[Module]:
        """What is reached from this file, itself first."""
        queue, seen = deque([entry.as_uri()]), {entry.as_uri()}
        while queue:
            module = self._module_at(queue.popleft())
            if module is None:
                continue
            yield module
            targets = [reached.target for reached in module.imports if reached.target]
            queue.extend(target for target in targets if target not in seen)
            seen.update(targets)

    def files(self, entry: Path) -> set[Path]:
        """The local files that this function consists of."""
        return {module.path for module in self.modules(entry) if module.path}

    def undeclared(self, entries: Iterable[Path]) -> set[str]:
        """Packages that are imported, but that nothing says where to take from."""
        return {
            package
            for entry in entries
            for module in self.modules(entry)
            for reached in module.imports
            if _UNDECLARED in reached.error and (package := package_of(reached.specifier))
        }

    def errors(self, entry: Path, shown: Callable[[Path], str]) -> list[Diagnostic]:
        """Everything that this function imports in vain, and files that do not parse."""
        found: list[Diagnostic] = []
        for module in self.modules(entry):
            if module.url == entry.as_uri() and module.error:
                found += parse(f"error: {module.error}", shown)
            for reached in module.imports:
                if reached.error:
                    found.append(_located(reached, _advice(reached), shown))
                    continue
                target = self._module_at(reached.target)
                if target is None:
                    continue
                if target.kind == "node":
                    found.append(_located(reached, _node_advice(reached.specifier), shown))
                elif target.error:
                    inside = parse(f"error: {target.error}", shown)
                    has_position = any(diagnostic.line for diagnostic in inside)
                    message = _missing(reached, target.error)
                    found += inside if has_position else [_located(reached, message, shown)]
        return found

    def _module_at(self, url: str) -> Module | None:
        return self._modules.get(self._redirects.get(url, url))


def _module(entry: Mapping[str, Any]) -> Module:
    url = entry["specifier"]
    path = _path(url)
    imports: tuple[Import, ...] = ()
    if path:
        imports = tuple(
            _import(path, dependency["specifier"], dependency[use])
            for dependency in entry.get("dependencies", ())
            for use in ("code", "type")
            if use in dependency
        )
    return Module(url=url, kind=entry.get("kind", ""), path=path, imports=imports, error=entry.get("error", ""))


def _import(path: Path, specifier: str, resolved: Mapping[str, Any]) -> Import:
    start = resolved["span"]["start"]
    return Import(
        path=path,
        line=start["line"] + 1,
        column=start["character"] + 1,
        specifier=specifier,
        target=resolved.get("specifier", ""),
        error=resolved.get("error", ""),
    )


def _path(url: str) -> Path | None:
    return Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None


def _located(reached: Import, message: str, shown: Callable[[Path], str]) -> Diagnostic:
    return located(message, path=reached.path, shown=shown, line=reached.line, column=reached.column)


def _advice(reached: Import) -> str:
    package = package_of(reached.specifier)
    if package and (_UNDECLARED in reached.error or _NOT_INSTALLED in reached.error):
        return f'package "{package}" is not installed in node_modules; run: npm install {package}'
    return reached.error


def _node_advice(specifier: str) -> str:
    return (
        f'"{specifier}" is a module of Node.js, which functions do not have; use the web API instead '
        "(crypto, fetch, URL, TextEncoder, streams ...)"
    )


def _missing(reached: Import, error: str) -> str:
    path = _path(reached.target)
    if path is None or path.exists():
        return error.splitlines()[0]
    message = f'cannot find "{reached.specifier}"'
    for candidate in (path.with_name(path.name + ".ts"), path.with_name(path.name + ".js"), path.with_suffix(".ts")):
        if candidate.is_file():
            folder = reached.specifier.rpartition("/")[0]
            return f'{message}; did you mean "{folder}/{candidate.name}"?'
    return f"{message}: there is no such file"
