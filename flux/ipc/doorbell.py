"""The wake-up call of a ring: an eventfd, rung only when the reader has said that it sleeps.

Ringing is a system call and wakes a thread on another CPU, ten times the price of copying the record; so the ring's
`sleeping` flag decides whether to ring, and this class only knows how. A doorbell crosses to another process by fork,
or as `fd` over a Unix socket (SCM_RIGHTS); the receiver wraps what arrived: `Doorbell(fd)`.
"""

from __future__ import annotations

import contextlib
import os


class Doorbell:
    """Owns one eventfd (non-blocking, closed on exec)."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def create(cls) -> Doorbell:
        return cls(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))

    def ring(self) -> None:
        # Full means that 2**64 - 2 rings were not yet heard: the reader has enough to wake up by.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self.fd, 1)

    def clear(self) -> bool:
        """Take all rings so far; True if there were any."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
