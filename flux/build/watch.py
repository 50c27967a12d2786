"""Which functions a change on disk touches: for `flux dev`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable
from pathlib import Path

from watchfiles import DefaultFilter, awatch

from flux.build.cache import Cache
from flux.build.discover import SUFFIXES
from flux.build.imports import config_files
from flux.build.project import Project
from flux.config import FILE_NAME as SETTINGS_FILE
from flux.config import Settings

# An editor saves in a few steps within a millisecond or two; waiting longer is only felt as delay.
QUIET_MS = 15
# A checkout of another branch writes for longer: give way after this.
LONGEST_MS = 300


class _Sources(DefaultFilter):
    """Everything but the data folder, installed packages and editors' droppings."""

    def __init__(self, project: Project) -> None:
        super().__init__(ignore_paths=[project.builds.parent])


async def watch(source: Settings | Project, stop: asyncio.Event | None = None) -> AsyncIterator[frozenset[str]]:
    """Names of the functions that were changed, made or removed, as often as files are saved; ends when `stop` is set.

    A change that concerns all functions (package.json, deno.json, flux.toml ...) names them all. The names say what to
    tell the user; `build_project` finds out itself what to build.
    """
    project = source if isinstance(source, Project) else Project.of(source)
    folders = [project.folder]
    if not project.functions.is_relative_to(project.folder):
        folders.append(project.functions)
    events = awatch(
        *folders, watch_filter=_Sources(project), debounce=LONGEST_MS, step=QUIET_MS, stop_event=stop, recursive=True
    )
    async for changes in events:
        names = touched(project, {Path(path) for _, path in changes})
        if names:
            yield names


def touched(project: Project, paths: Iterable[Path]) -> frozenset[str]:
    """The functions that these files (absolute paths) are part of, by their place or by what the last builds used."""
    paths = set(paths)
    known = _known(project)
    everywhere = {*config_files(project), project.folder / SETTINGS_FILE}
    if paths & everywhere:
        return frozenset(known)
    by_use = {name for name, used in known.items() if used & paths}
    by_place = {name for path in paths if (name := _name_at(project, path, known))}
    return frozenset(by_use | by_place)


def _name_at(project: Project, path: Path, known: Container[str]) -> str | None:
    """The function that a file in the functions folder belongs to by its place, even if it is new or gone."""
    if not path.is_relative_to(project.functions) or path == project.functions:
        return None
    first, *inner = path.relative_to(project.functions).parts
    if first.startswith(("_", ".")):
        return None
    if not inner:
        return path.stem if path.suffix in SUFFIXES else None
    has_index = any((project.functions / first / f"index{suffix}").is_file() for suffix in SUFFIXES)
    return first if has_index or first in known else None


def _known(project: Project) -> dict[str, set[Path]]:
    """The local files of every function that was ever built here."""
    return {name: {Path(used) for used in entry.inputs} for name, entry in Cache(project).all().items()}
