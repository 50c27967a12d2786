"""Which server runs on a PostgreSQL data folder: what its `postmaster.pid` says, checked against the process itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Postmaster:
    """Lines 1, 5 and 8 of postmaster.pid; `status` is starting, ready, standby or stopping."""

    pid: int
    socket_folder: Path
    status: str


def pid_file(folder: Path) -> Path:
    return folder / "postmaster.pid"


def read(folder: Path) -> Postmaster | None:
    """The postmaster that the data folder names, or None. While it starts, the later lines are still missing."""
    try:
        lines = [line.strip() for line in pid_file(folder).read_text().splitlines()]
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    lines += [""] * 8
    return Postmaster(pid=pid, socket_folder=Path(lines[4] or folder), status=lines[7] or "starting")


def serves(pid: int, folder: Path) -> bool:
    """Whether process `pid` is a live PostgreSQL on this data folder.

    A number alone proves nothing: after a crash or in a restarted container another process may carry it. The command
    line is asked, not the working folder, because the latter of another user's process is hidden even from root in a
    container without CAP_SYS_PTRACE.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(words[0])).name == "postgres" and os.fsencode(folder) in words[1:]


def running(folder: Path) -> Postmaster | None:
    """The postmaster that is alive on this data folder, or None."""
    postmaster = read(folder)
    return postmaster if postmaster is not None and serves(postmaster.pid, folder) else None


def drop_stale_locks(folder: Path, socket: Path) -> None:
    """Remove the lock files of a dead server whose number is in use: by another process, or by its own remains when
    nobody collects them (a container whose first process does not).

    PostgreSQL itself clears those whose number is free, and otherwise refuses to start. While processes of the dead
    server still hold its shared memory, nothing is removed: two sets of them must never work on one folder.
    """
    if _memory_attached(folder):
        return
    for lock in (pid_file(folder), socket.with_name(socket.name + ".lock")):
        pid = _first_number(lock)
        if pid is not None and Path(f"/proc/{pid}").exists() and not serves(pid, folder):
            lock.unlink(missing_ok=True)


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _memory_attached(folder: Path) -> bool:
    """Whether any process is attached to the segment in line 7 of postmaster.pid: key and ID, made for this purpose."""
    try:
        segment = pid_file(folder).read_text().splitlines()[6].split()[1]
        listed = Path("/proc/sysvipc/shm").read_text().splitlines()
    except (OSError, IndexError):
        return False
    rows = (dict(zip(listed[0].split(), line.split(), strict=False)) for line in listed[1:])
    return any(row["shmid"] == segment and row["nattch"] != "0" for row in rows)
