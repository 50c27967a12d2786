"""When a worker counts as silent, and when its death as a failed start."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from flux.master.worker_process import HEARTBEAT_LIMIT_S, READY_LIMIT_S, YOUNG_S, State, WorkerProcess, exit_text

from .conftest import FakeWorker


@pytest.fixture
def process(worker: FakeWorker) -> Iterator[WorkerProcess]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield WorkerProcess(1, 1, worker.lane, ours, pid=1234, heard_at=100.0)


@pytest.mark.parametrize(
    ("state", "limit"),
    [("starting", READY_LIMIT_S), ("ready", HEARTBEAT_LIMIT_S), ("draining", None), ("dead", None)],
)
def test_silence_has_a_limit_in_each_state(process: WorkerProcess, state: State, limit: float | None) -> None:
    process.state = state
    if limit is None:
        assert not process.silent(1e9)
    else:
        assert not process.silent(100.0 + limit)
        assert process.silent(100.1 + limit)


def test_who_is_not_forked_yet_is_not_silent(process: WorkerProcess) -> None:
    process.pid = 0
    assert not process.silent(1e9)


def test_a_worker_is_young_until_it_has_been_ready_for_a_while(process: WorkerProcess) -> None:
    assert process.young(1e9)
    process.state, process.ready_at = "ready", 100.0
    assert process.young(100.0 + YOUNG_S / 2)
    assert not process.young(100.0 + YOUNG_S)


def test_nobody_is_killed_before_the_fork(process: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    process.kill()
    process.pid = 0
    process.kill()
    assert killed == [(1234, signal.SIGKILL)]


def test_an_exit_in_words() -> None:
    assert exit_text(3) == "exit code 3"
    assert exit_text(-signal.SIGSEGV) == "killed by SIGSEGV"
