"""The functions that one worker serves, as the last manifest says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from ..errors import NotFound
from ..manifest import FunctionSpec, Manifest
from .isolate.isolate import ModuleFailed
from .isolates import Isolates
from .tasks import Tasks

log = logging.getLogger("flux.worker")

PREWARMED: Final = 32  # isolates opened ahead for a new manifest; further ones open at their first request


class Deployment:
    """`live` is by name; `specs` is by name and version, and holds the versions before, too."""

    def __init__(self, isolates: Isolates, tasks: Tasks) -> None:
        self._isolates = isolates
        self._tasks = tasks
        self.live: Mapping[str, FunctionSpec] = {}
        self.specs: dict[tuple[str, str], FunctionSpec] = {}

    def deploy(self, manifest: Manifest) -> None:
        """From now on these functions are live; their isolates open."""
        # The versions before stay known: the master may have chosen one just before it heard of the new ones.
        self.specs = {(spec.name, spec.version): spec for spec in (*self.live.values(), *manifest.functions.values())}
        self.live = manifest.functions
        self._isolates.keep(frozenset(spec.version for spec in self.live.values()))
        for spec in [spec for spec in manifest.functions.values() if spec.data is None][:PREWARMED]:
            self._tasks.spawn(self._warm(spec))

    async def _warm(self, spec: FunctionSpec) -> None:
        try:
            await self._isolates.open(spec)
        except (ModuleFailed, NotFound) as error:
            log.warning("function %s does not start: %s", spec.name, error)
