from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux.store import postmaster

WHOLE = "{pid}\n{folder}\n1700000000\n5432\n/run/short\n\n  1234567  42\nready   \n"


def write(folder: Path, text: str) -> None:
    postmaster.pid_file(folder).write_text(text)


def test_reads_a_whole_file(tmp_path: Path) -> None:
    write(tmp_path, WHOLE.format(pid=7, folder=tmp_path))
    assert postmaster.read(tmp_path) == postmaster.Postmaster(pid=7, socket_folder=Path("/run/short"), status="ready")


@pytest.mark.parametrize("text", ["", "\n", "not a number\n"])
def test_reads_none_from_a_torn_file(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert postmaster.read(tmp_path) is None


def test_file_that_is_still_being_written(tmp_path: Path) -> None:
    write(tmp_path, "7\n")
    assert postmaster.read(tmp_path) == postmaster.Postmaster(pid=7, socket_folder=tmp_path, status="starting")


def test_another_process_with_that_number_is_not_it(tmp_path: Path) -> None:
    write(tmp_path, WHOLE.format(pid=os.getpid(), folder=tmp_path))
    assert postmaster.running(tmp_path) is None


def test_stale_locks_of_a_number_in_use_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, WHOLE.format(pid=os.getpid(), folder=tmp_path))
    socket = tmp_path / ".s.PGSQL.5432"
    lock = tmp_path / ".s.PGSQL.5432.lock"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    postmaster.drop_stale_locks(tmp_path, socket)
    assert not lock.exists()
    assert not postmaster.pid_file(tmp_path).exists()


def test_missing_locks_are_no_error(tmp_path: Path) -> None:
    postmaster.drop_stale_locks(tmp_path, tmp_path / ".s.PGSQL.5432")
