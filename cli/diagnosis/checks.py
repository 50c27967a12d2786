"""All checks, in the order in which a person would mend what they find."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from flux.config import Settings, load
from flux.errors import ConfigError

from ..connect import Target
from . import machine, project
from .finding import FAILED, OK, Finding


def examine(folder: Path, data: Path | None, target: Target) -> list[Finding]:
    settings, finding = _settings(folder, data)
    server, running = project.server(target)
    return [
        machine.python(),
        machine.native_modules(),
        machine.v8(),
        machine.deno(),
        machine.shared_memory(settings.server.workers, settings.record.ring_bytes),
        machine.open_files(settings.server.max_connections),
        machine.clock(),
        finding,
        project.functions(settings),
        project.data_folder(settings.data),
        project.postgres(settings),
        project.port(settings, urlsplit(target.url).port if running else None),
        server,
    ]


def _settings(folder: Path, data: Path | None) -> tuple[Settings, Finding]:
    """The project's settings; where they are not valid, the defaults, so that the other checks can go on."""
    try:
        settings = load(folder, {"data": data})
    except ConfigError as error:
        return Settings(project=folder, data=data or folder / ".flux"), Finding("settings", FAILED, error.message)
    return settings, Finding("settings", OK, str(settings.project))
