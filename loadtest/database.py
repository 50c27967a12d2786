"""The Postgres of a run: one embedded server in a throwaway folder, one database for each contender."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from flux.store import embedded

from .processes import cpu_seconds, family


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running Postgres. `url` is the contenders' way in: a role without superuser rights."""

    url: str
    postmaster: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU time of the postmaster and all its backends, those that have ended included."""
        return cpu_seconds(family(self.postmaster))

    async def create(self, database: str) -> str:
        """Makes an empty database and returns its URL."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", database):
            raise ValueError(f"not a plain database name: {database!r}")
        await self.execute(f'CREATE DATABASE "{database}" OWNER "{urlsplit(self.url).username}"')
        return _with(self.url, database=database)

    async def checkpoint(self) -> None:
        """Writes dirty pages out now, so that no contender pays for the one before it."""
        await self.execute("CHECKPOINT")

    async def version(self) -> str:
        connection = await asyncpg.connect(self.url)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    async def execute(self, statement: str) -> None:
        """Runs one statement as superuser."""
        connection = await asyncpg.connect(_with(self.url, database="postgres", user="postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def scratch() -> AsyncIterator[tuple[Path, Server]]:
    """A throwaway folder and an embedded Postgres whose cluster lies in it; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="flux-load-") as name:
        folder = Path(name)
        # When this runs as root, Postgres runs as a user of its own and has to get to its cluster.
        folder.chmod(0o711)  # noqa: ASYNC240 - at once
        server = await asyncio.to_thread(embedded.start, folder / "postgres")
        try:
            yield folder, Server(url=server.url, postmaster=psutil.Process(server.pid))
        finally:
            await asyncio.to_thread(server.stop)


def _with(url: str, *, database: str, user: str | None = None) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(path=f"/{database}", netloc=f"{user or parts.username}@{host}"))
