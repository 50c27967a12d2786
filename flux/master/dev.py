"""`flux dev`: functions are rebuilt and swapped in when a file is saved, and finished executions are printed."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

from ..build.diagnostics import failed
from ..build.pipeline import Outcome, build_functions, check_project
from ..build.watch import watch
from ..config import Settings
from ..errors import BuildFailed
from ..manifest import Manifest
from .node import Node

QUIET_S = 3600.0  # nobody needs to be told that nothing happens

log = logging.getLogger("flux.dev")


class Dev:
    """Swaps first and checks types after: what was just saved answers in a moment, and errors follow."""

    def __init__(self, settings: Settings, node: Node) -> None:
        self._settings = settings
        self._node = node
        self._checking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        printing = asyncio.create_task(self._print_executions())
        try:
            async for names in watch(self._settings):
                await self._rebuild(names)
        finally:
            printing.cancel()
            if self._checking is not None:
                self._checking.cancel()

    async def _rebuild(self, names: frozenset[str]) -> None:
        started = time.perf_counter()
        try:
            outcome = await build_functions(self._settings, check=False)
            if outcome.errors:
                log.error("%s", failed(outcome.errors).message)
            await self._node.deploy(self._with_running(outcome))
        except BuildFailed as error:
            log.error("%s", error.message)
            return
        log.info("%s: live after %.0f ms", ", ".join(sorted(names)), (time.perf_counter() - started) * 1000)
        if self._checking is not None:
            self._checking.cancel()
        self._checking = asyncio.create_task(self._check())

    def _with_running(self, outcome: Outcome) -> Manifest:
        """What was built, and of functions that do not build at the moment the version that runs."""
        running = self._node.manifest.functions
        kept = {name: running[name] for name in outcome.broken if name in running}
        return Manifest(functions={**kept, **outcome.manifest.functions})

    async def _check(self) -> None:
        try:
            await check_project(self._settings)
        except BuildFailed as error:
            log.error("%s", error.message)

    async def _print_executions(self) -> None:
        async for execution in self._node.live.listen(QUIET_S):
            if not isinstance(execution, dict):
                continue
            mark = "✔" if execution["status"] < 400 else "✗"
            line = f"  {mark} {execution['request_id'][:8]}  {execution['method']} {execution['path']}"
            print(f"{line}  {execution['status']}  {execution['duration_ms']:.1f}ms", file=sys.stderr)
