"""Bundle and type check of TypeScript and JavaScript functions, through the `deno` tool.

A bundle is one script (an IIFE) that leaves the module's exports on `globalThis.__flux_module`. Nothing of the machine
that built it is in there: paths are written as people know them, so the same source gives the same version anywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from flux.build.deno import Deno
from flux.build.diagnostics import Diagnostic, failed, parse
from flux.build.discover import Function
from flux.build.graph import Graph
from flux.build.imports import locked_packages, tool_arguments, uses_installed, write_import_map
from flux.build.project import Project
from flux.build.sdk import GENERATED_TYPES, sdk_folder
from flux.build.sourcemap import ENTRY_SOURCE, PACKAGE_PREFIX, SCRIPT_PREFIX, SDK_SOURCE

# One round finds the packages that nothing declares, the next one resolves them; a third finds nothing new.
MAX_ROUNDS = 3
MODULE_GLOBAL = "__flux_module"
_NO_DEFAULT = 'for import "default"'


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """`text` and `source_map` as stored; `installed` are the files out of node_modules that went in."""

    text: bytes
    source_map: bytes
    installed: frozenset[Path]


class TypeScript:
    """One build's use of the tool: resolve first, then bundle and check, which may run side by side."""

    def __init__(self, project: Project, scratch: Path) -> None:
        self._project = project
        self._scratch = scratch
        self._deno = Deno(project.folder)
        self._arguments = tool_arguments(project, scratch / "import_map.json")
        self._graph = Graph({})

    async def resolve(self, functions: Sequence[Function]) -> Graph:
        """The graph of these functions, with packages that nothing declares taken from npm. Downloads what is new."""
        for function in functions:
            self._entry(function).write_text(_entry_text(function))
        everything = self._scratch / "everything.js"
        everything.write_text("".join(f"import {json.dumps(function.entry.as_uri())};\n" for function in functions))
        entries = [function.entry for function in functions]
        packages = locked_packages(self._project)
        for _ in range(MAX_ROUNDS):
            write_import_map(self._project, packages, self._scratch / "import_map.json")
            self._graph = await self._info(everything)
            undeclared = self._graph.undeclared(entries) - packages
            if not undeclared or uses_installed(self._project):
                break
            packages |= undeclared
        return self._graph

    async def bundle(self, function: Function) -> Bundled:
        """Raises BuildFailed."""
        output = self._scratch / f"{function.name}.bundle.js"
        finished = await self._deno.run(
            "bundle",
            [
                *self._arguments,
                "--format=iife",
                "--platform=browser",
                "--sourcemap=external",
                f"--output={output}",
                str(self._entry(function)),
            ],
        )
        if not finished.ok:
            raise failed([_explained(found, function, self._project) for found in self._parsed(finished.stderr)])
        return self._portable(function, output)

    async def check(self, functions: Sequence[Function]) -> list[Diagnostic]:
        """The type errors in these functions."""
        if not functions:
            return []
        entries = [str(function.entry) for function in functions]
        # It belongs to no function's imports: it adds the project's tables to what "flux" is.
        entries += [str(path) for path in [self._project.folder / GENERATED_TYPES] if path.is_file()]
        finished = await self._deno.run("check", [*self._arguments, *entries])
        return [] if finished.ok else self._parsed(finished.stderr)

    async def _info(self, entry: Path) -> Graph:
        finished = await self._deno.run("info", ["--json", *self._arguments, str(entry)])
        if not finished.ok:
            raise failed(self._parsed(finished.stderr))
        return Graph(orjson.loads(finished.stdout))

    def _entry(self, function: Function) -> Path:
        return self._scratch / f"{function.name}.entry.js"

    def _parsed(self, output: str) -> list[Diagnostic]:
        return parse(output, self._project.shown) or [Diagnostic(message=output.strip() or "the build tool failed")]

    def _portable(self, function: Function, output: Path) -> Bundled:
        """Bundle and map with the names of sources as people know them, instead of this machine's paths."""
        source_map = orjson.loads(output.with_name(output.name + ".map").read_bytes())
        paths = [Path(os.path.normpath(output.parent / source)) for source in source_map["sources"]]
        names = [self._name(path) for path in paths]
        written = {os.path.relpath(path, self._project.folder): name for path, name in zip(paths, names, strict=True)}
        text = _renamed(output.read_text("utf-8"), written)
        contents = source_map.get("sourcesContent") or [None] * len(names)
        # Packages' sources are nine tenths of a map, and anyone can look them up.
        kept = [None if _is_foreign(name) else content for name, content in zip(names, contents, strict=True)]
        portable = {**source_map, "sources": names, "sourcesContent": kept}
        return Bundled(
            text=f"{text.rstrip()}\n//# sourceURL={SCRIPT_PREFIX}{function.name}\n".encode(),
            source_map=orjson.dumps(portable),
            installed=frozenset(path for path in paths if "node_modules" in path.parts),
        )

    def _name(self, path: Path) -> str:
        if path.parent == self._scratch:
            return ENTRY_SOURCE
        if path.is_relative_to(sdk_folder()):
            return SDK_SOURCE
        for folder in path.parents:
            if folder in self._graph.packages:
                return f"{PACKAGE_PREFIX}{self._graph.packages[folder]}/{path.relative_to(folder)}"
        if "node_modules" in path.parts:
            last = len(path.parts) - 1 - path.parts[::-1].index("node_modules")
            return PACKAGE_PREFIX + "/".join(path.parts[last + 1 :])
        return self._project.shown_short(path)


def _entry_text(function: Function) -> str:
    # The default import makes a module without a default export an error here, instead of at the first request.
    url = json.dumps(function.entry.as_uri())
    return f"import main, * as module from {url};\nmain;\nglobalThis.{MODULE_GLOBAL} = module;\n"


def _renamed(text: str, names: dict[str, str]) -> str:
    """The bundler writes each module's path into a comment above it or a key (`"path"(exports)`): rename those."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        stripped = line.lstrip()
        if stripped.startswith("// ") and stripped[3:] in names:
            lines[index] = line[: len(line) - len(stripped)] + "// " + names[stripped[3:]]
        elif stripped.startswith('"') and stripped.endswith("{"):
            path, quote, rest = stripped[1:].partition('"')
            if quote and path in names:
                lines[index] = line[: len(line) - len(stripped)] + f'"{names[path]}"{rest}'
    return "\n".join(lines)


def _is_foreign(name: str) -> bool:
    return name.startswith((PACKAGE_PREFIX, SCRIPT_PREFIX)) or name == SDK_SOURCE


def _explained(found: Diagnostic, function: Function, project: Project) -> Diagnostic:
    if _NO_DEFAULT in found.message and found.file.endswith(f"{function.name}.entry.js"):
        message = "the module has no default export; write `export default defineFunction({ ... })` (or a function)"
        return Diagnostic(file=project.shown(function.entry), message=message)
    return found
