"""From a project folder to a manifest: discover, skip what has not changed, resolve, bundle and check, store.

    manifest = await build_project(settings)

`flux dev` builds with `check=False` and swaps the result in, then asks `check_project` for the type errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flux.build import store
from flux.build.cache import Cache, Entry, stamp
from flux.build.deno import tool_version
from flux.build.diagnostics import Diagnostic, failed
from flux.build.discover import Function, discover
from flux.build.graph import Graph
from flux.build.project import Project
from flux.build.sdk import place_types
from flux.build.typescript import Bundled, TypeScript
from flux.config import Settings
from flux.data.routes.specs import specs as data_specs
from flux.errors import BuildFailed
from flux.manifest import FunctionSpec, Limits, Manifest


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a build gave: `manifest` holds the functions that are fine, `errors` say why others are missing in it.

    `broken` names those others: a server that already runs them keeps the version it has. `built` names the functions
    that were bundled now, the rest were taken as they were.
    """

    manifest: Manifest
    errors: tuple[Diagnostic, ...]
    broken: frozenset[str]
    built: frozenset[str]


async def build_project(source: Settings | Project, *, check: bool = True) -> Manifest:
    """All functions of the project, built. Raises BuildFailed with every error of every function."""
    outcome = await build_functions(source, check=check)
    if outcome.errors:
        raise failed(outcome.errors)
    return outcome.manifest


async def check_project(source: Settings | Project) -> None:
    """Builds and type-checks what has not been. Raises BuildFailed with the type errors."""
    await build_project(source, check=True)


async def build_functions(source: Settings | Project, *, check: bool = True) -> Outcome:
    """Like `build_project`, but functions that fail do not keep the others from being used.

    Raises BuildFailed only for what concerns the project as a whole (names and options of functions, package files).
    """
    project = source if isinstance(source, Project) else Project.of(source)
    functions = discover(project)
    place_types(project)
    cache = Cache(project)
    key = cache.key()
    entries = {function.name: entry for function in functions if (entry := cache.find(function, key))}
    missing = [function for function in functions if function.name not in entries]
    unchecked = [function for function in functions if function.name in entries and not entries[function.name].checked]
    errors: list[Diagnostic] = []
    broken: set[str] = set()
    if missing or (check and unchecked):
        with store.scratch(project.builds) as scratch:
            run = _Run(project, cache, TypeScript(project, scratch))
            await run.build(missing, unchecked if check else [], entries, check=check)
            errors, broken = run.errors, run.broken
    specs = {
        function.name: _spec(project, function, entries[function.name].version)
        for function in functions
        if function.name in entries and function.name not in broken
    }
    built = frozenset(function.name for function in missing if function.name in entries)
    return Outcome(
        manifest=Manifest(functions={**specs, **data_specs(project.routes, limits=project.limits, auth=project.auth)}),
        errors=tuple(dict.fromkeys(errors)),
        broken=frozenset(function.name for function in functions) - specs.keys(),
        built=built,
    )


class _Run:
    """One build: collects errors, and which functions are not to be used because of them."""

    def __init__(self, project: Project, cache: Cache, compiler: TypeScript) -> None:
        self._project = project
        self._cache = cache
        self._compiler = compiler
        self.errors: list[Diagnostic] = []
        self.broken: set[str] = set()

    async def build(
        self, missing: Sequence[Function], unchecked: Sequence[Function], entries: dict[str, Entry], *, check: bool
    ) -> None:
        """Bundles `missing` and adds them to `entries`; checks both lists."""
        graph = await self._compiler.resolve([*missing, *unchecked])
        sound = [function for function in missing if not self._graph_errors(graph, function)]
        # Hashed before the bundler reads them: a file that is saved meanwhile then counts as changed.
        inputs = {function.name: self._cache.hashes(graph.files(function.entry)) for function in sound}
        async with asyncio.TaskGroup() as tasks:
            bundling = [tasks.create_task(self._bundle(function)) for function in sound]
            checking = tasks.create_task(self._check([*sound, *unchecked] if check else []))
        self._type_errors(graph, [*sound, *unchecked], checking.result())
        key = self._cache.key()  # the lock file may have grown
        for function, task in zip(sound, bundling, strict=True):
            bundled = task.result()
            if bundled is not None:
                entries[function.name] = await self._store(function, bundled, inputs[function.name], key, check)
        for function in unchecked:
            entry = replace(entries[function.name], key=key, checked=function.name not in self.broken)
            self._cache.put(function.name, entry)

    def _graph_errors(self, graph: Graph, function: Function) -> bool:
        found = graph.errors(function.entry, self._project.shown)
        self.errors += found
        return bool(found)

    async def _bundle(self, function: Function) -> Bundled | None:
        try:
            return await self._compiler.bundle(function)
        except BuildFailed as error:
            self.errors += [Diagnostic(**violation) for violation in error.violations]
            self.broken.add(function.name)
            return None

    async def _check(self, functions: Sequence[Function]) -> list[Diagnostic]:
        try:
            return await self._compiler.check(functions)
        except BuildFailed as error:
            return [Diagnostic(**violation) for violation in error.violations]

    def _type_errors(self, graph: Graph, functions: Sequence[Function], found: Collection[Diagnostic]) -> None:
        """An error in a shared file breaks every function that uses it; one in no file breaks all."""
        told = {diagnostic.file for diagnostic in self.errors}  # a file that does not parse: once is enough
        self.errors += [diagnostic for diagnostic in found if diagnostic.file not in told]
        files = {diagnostic.file for diagnostic in found}
        for function in functions:
            own = {self._project.shown(path) for path in graph.files(function.entry)}
            if own & files or (files and not files - {""}):
                self.broken.add(function.name)

    async def _store(
        self, function: Function, bundled: Bundled, inputs: dict[str, str], key: str, check: bool
    ) -> Entry:
        version = store.version_of(bundled.text, self._project.env)
        meta: dict[str, Any] = {
            "name": function.name,
            "source": self._project.shown(function.entry),
            "tool": f"deno {tool_version()}",
        }
        build = store.Build(version=version, bundle=bundled.text, source_map=bundled.source_map, meta=meta)
        await asyncio.to_thread(store.save, self._project.builds, build)
        entry = Entry(
            key=key,
            entry=str(function.entry),
            inputs=inputs,
            installed={str(path): stamp(path) for path in sorted(bundled.installed)},
            version=version,
            checked=check and function.name not in self.broken,
        )
        self._cache.put(function.name, entry)
        return entry


def _spec(project: Project, function: Function, version: str) -> FunctionSpec:
    options = function.options
    return FunctionSpec(
        name=function.name,
        version=version,
        source=project.shown(function.entry),
        routes=function.routes,
        auth=options.auth or project.auth,
        runtime=options.runtime,
        limits=_limits(project.limits, options.limits),
        allow_http=options.allow_http,
        asynchronous=options.asynchronous,
        db=options.db,
        max_attempts=FunctionSpec.max_attempts if options.max_attempts is None else options.max_attempts,
    )


def _limits(default: Limits, own: Any) -> Limits:
    return replace(default, **own)
