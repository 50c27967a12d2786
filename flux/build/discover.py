"""Which functions a functions folder holds.

functions/hello.ts               -> hello
functions/pay/index.ts           -> pay, with functions/pay/flux.json for its options, if there is one
functions/_shared.ts, lib/x.ts   -> no functions: a leading "_" or ".", or a folder without index and flux.json,
                                    holds code that functions import
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from flux.build import options
from flux.build.diagnostics import Diagnostic, failed, located
from flux.build.options import InvalidOptions, Options
from flux.build.project import Project
from flux.manifest import Route

SUFFIXES = (".ts", ".js")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAME_RULE = "lower-case letters, digits, '-' and '_', starting with a letter or digit, at most 63"

# Near misses that would otherwise be passed over in silence.
_OTHER_SUFFIXES = (".tsx", ".jsx", ".mts", ".cts", ".mjs", ".cjs")
_NOT_FUNCTIONS = re.compile(r".*\.(d|test|spec)\.[a-z]+")


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function as found on disk; `entry` is its absolute entry file."""

    name: str
    entry: Path
    options: Options = field(default_factory=Options)

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.options.routes or (Route(method=options.DEFAULT_METHOD, path=f"/{self.name}"),)


def discover(project: Project) -> list[Function]:
    """All functions of the project by name. Raises BuildFailed with every mistake found, not just the first."""
    if not project.functions.is_dir():
        raise failed(
            [Diagnostic(message=f"there is no functions folder at {project.functions}; `flux init` makes one")]
        )
    errors: list[Diagnostic] = []
    found: dict[str, Function] = {}
    for path in sorted(project.functions.iterdir()):
        function = _function(project, path, errors)
        if function is None:
            continue
        if function.name in found:
            both = " and ".join(project.shown(each.entry) for each in (found[function.name], function))
            errors.append(
                Diagnostic(message=f'two functions are called "{function.name}": {both}; remove or rename one')
            )
        found.setdefault(function.name, function)
    errors += _route_conflicts(found.values())
    if errors:
        raise failed(errors)
    return list(found.values())


def _function(project: Project, path: Path, errors: list[Diagnostic]) -> Function | None:
    if path.name.startswith(("_", ".")):
        return None
    if path.is_dir():
        return _folder(project, path, errors)
    if path.name == options.FILE_NAME:
        message = "options belong to one function: move it to functions/<name>/flux.json beside index.ts"
        errors.append(Diagnostic(file=project.shown(path), message=message))
        return None
    if path.suffix in _OTHER_SUFFIXES and not _NOT_FUNCTIONS.fullmatch(path.name):
        message = f"a function's file ends in .ts or .js, not {path.suffix}; shared code starts with '_'"
        errors.append(Diagnostic(file=project.shown(path), message=message))
        return None
    if path.suffix not in SUFFIXES or _NOT_FUNCTIONS.fullmatch(path.name):
        return None
    return _named(project, path.stem, path, Options(), errors)


def _folder(project: Project, path: Path, errors: list[Diagnostic]) -> Function | None:
    entries = [path / f"index{suffix}" for suffix in SUFFIXES if (path / f"index{suffix}").is_file()]
    described = path / options.FILE_NAME
    if len(entries) > 1:
        errors.append(Diagnostic(file=project.shown(path), message="holds both index.ts and index.js; remove one"))
        return None
    if not entries:
        if described.is_file():
            errors.append(Diagnostic(file=project.shown(path), message="has a flux.json but no index.ts or index.js"))
        return None
    try:
        chosen = options.read(described) if described.is_file() else Options()
    except InvalidOptions as error:
        errors.append(located(str(error), path=described, shown=project.shown))
        return None
    return _named(project, path.name, entries[0], chosen, errors)


def _named(project: Project, name: str, entry: Path, chosen: Options, errors: list[Diagnostic]) -> Function | None:
    if not NAME.fullmatch(name):
        errors.append(Diagnostic(file=project.shown(entry), message=f'"{name}" is not a function name: {NAME_RULE}'))
        return None
    function = Function(name=name, entry=entry, options=chosen)
    if not chosen.routes:
        try:
            options.check_path(function.routes[0].path, key="name")
        except InvalidOptions as error:
            errors.append(Diagnostic(file=project.shown(entry), message=str(error)))
            return None
    return function


def _route_conflicts(functions: Iterable[Function]) -> list[Diagnostic]:
    """Two functions at the same place: parameters' names make no difference to where a request goes."""
    errors = []
    taken: dict[tuple[str, str], str] = {}
    for function in functions:
        for route in function.routes:
            place = (route.method, re.sub(r"/([:*])[^/]*", r"/\1", route.path))
            other = taken.setdefault(place, function.name)
            if other != function.name:
                message = f'"{other}" and "{function.name}" both answer {route.method} {route.path}; change one route'
                errors.append(Diagnostic(message=message))
    return errors
