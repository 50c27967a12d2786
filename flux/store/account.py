"""Which operating system user the embedded PostgreSQL runs as; it refuses to run as root."""

from __future__ import annotations

import logging
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from flux.errors import LocalError

_log = logging.getLogger(__name__)

# Tried in this order. Both exist without any change to the machine: the first where a PostgreSQL package was ever
# installed, the second everywhere.
UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, kw_only=True)
class Account:
    uid: int
    gid: int


def choose(folder: Path) -> Account | None:
    """None (stay who we are) for an ordinary user; for root the owner of the data folder, or an unprivileged user."""
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise LocalError(
        "The embedded PostgreSQL cannot run as root, and this machine has no user 'postgres' or 'nobody'. "
        "Run Flux as an ordinary user, or set DATABASE_URL."
    )


def hand_over(folder: Path, account: Account | None) -> None:
    """Make `folder` belong to the account."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def let_through(folder: Path, account: Account | None) -> None:
    """Let the account pass through `folder` and its parents.

    Only the right to pass (x) is given, not to list or read, and only where it is missing; each change is logged.
    """
    if account is None:
        return
    for step in reversed([folder, *folder.parents]):
        status = step.stat()
        if _may_pass(status, account):
            continue
        _log.warning("allowing other users to pass through %s, so that PostgreSQL can run unprivileged", step)
        try:
            step.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        except OSError as error:
            raise LocalError(
                f"PostgreSQL runs as user {account.uid} and cannot pass through {step} ({error.strerror}): "
                f"run 'chmod o+x {step}', or put the data folder elsewhere with --data."
            ) from error


def _may_pass(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
