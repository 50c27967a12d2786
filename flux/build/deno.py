"""The `deno` tool of the wheel, as a child process. It builds; functions never run in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import deno  # type: ignore[import-untyped]  # the wheel has no type marker

from flux.build.diagnostics import Diagnostic, failed

# A first build downloads packages; beyond this the registry is not answering.
TIMEOUT_S = 180
# Each child uses about one core and 100-300 MB.
MAX_CHILDREN = os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Finished:
    ok: bool
    stdout: bytes
    stderr: str


def tool_version() -> str:
    return version("deno")


class Deno:
    """Runs the tool in one project folder, at most MAX_CHILDREN at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children = asyncio.Semaphore(MAX_CHILDREN)

    async def run(self, command: str, arguments: Sequence[str]) -> Finished:
        """Raises BuildFailed when the tool cannot be started or does not end; its exit code is for the caller."""
        async with self._children:
            try:
                child = await asyncio.create_subprocess_exec(
                    _binary(),
                    command,
                    "--quiet",
                    *arguments,
                    cwd=self._folder,
                    env=_environment(),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
            except OSError as error:
                raise failed([Diagnostic(message=f"the deno tool cannot be started: {error}")]) from None
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    stdout, stderr = await child.communicate()
            except TimeoutError:
                message = f"`deno {command}` did not end within {TIMEOUT_S} s; is the npm registry reachable?"
                raise failed([Diagnostic(message=message)]) from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
            return Finished(ok=child.returncode == 0, stdout=stdout, stderr=stderr.decode("utf-8", "replace"))


@cache
def _binary() -> str:
    try:
        return str(deno.find_deno_bin())
    except FileNotFoundError as error:
        message = f"the deno tool is missing (looked for {error}); install the package again: pip install deno"
        raise failed([Diagnostic(message=message)]) from None


def _environment() -> dict[str, str]:
    """The caller's environment (registry and proxy settings count), with output that can be parsed."""
    return {**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1", "DENO_NO_PROMPT": "1"}
