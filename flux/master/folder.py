"""The data folder of one node: who holds it, what it is called, where its server is."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from pathlib import Path

from ..errors import AlreadyRunning, LocalError


class DataFolder:
    """Held by one master at a time, by a lock that the kernel releases however that master ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def acquire(self) -> None:
        """Makes the folder if need be and takes it. Raises AlreadyRunning, or LocalError when it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalError(f"Cannot write to the data folder {self.path}: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise AlreadyRunning(
                f"Another Flux serves from {self.path}{self._other()}; stop it or choose another folder with --data."
            ) from None

    def release(self) -> None:
        (self.path / "server.json").unlink(missing_ok=True)
        os.close(self._lock)

    def instance(self) -> str:
        """8 hex digits that name this folder's shared memory, the same at every start."""
        file = self.path / "instance"
        if not file.exists():
            file.write_text(secrets.token_hex(4))
        return file.read_text().strip()

    def announce(self, url: str) -> None:
        """Lets the command line find the server."""
        aside = self.path / "server.json.new"
        aside.write_text(json.dumps({"pid": os.getpid(), "url": url, "started_at": time.time()}))
        aside.rename(self.path / "server.json")

    def _other(self) -> str:
        try:
            other = json.loads((self.path / "server.json").read_text())
        except (OSError, ValueError):
            return ""
        return f" (process {other['pid']}, {other['url']})"
