"""Segments of their own for every test, and second processes to share them with."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux.ipc.doorbell import Doorbell
from flux.ipc.segment import Segment

ROOT = Path(__file__).parents[3]
MakeSegment = Callable[..., Segment]
StartPeer = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def prefix() -> Iterator[str]:
    """A name for segments that nobody else has; what is left of them goes away after the test."""
    prefix = f"flux-test-{os.getpid()}-{uuid.uuid4().hex[:8]}-"
    yield prefix
    for name in Segment.list(prefix):
        Segment.remove(name)


@pytest.fixture
def make_segment(prefix: str) -> Iterator[MakeSegment]:
    made: list[Segment] = []

    def make(capacity: int = 65536) -> Segment:
        name = f"{prefix}{len(made)}"
        made.append(
            Segment.create(name, request_bytes=capacity, result_bytes=capacity, journal_bytes=capacity),
        )
        return made[-1]

    yield make
    for segment in made:
        segment.close()


@pytest.fixture
def doorbells() -> Iterator[tuple[Doorbell, Doorbell]]:
    pair = Doorbell.create(), Doorbell.create()
    yield pair
    for doorbell in pair:
        doorbell.close()


@pytest.fixture
def start_peer() -> Iterator[StartPeer]:
    """Run a role of peer.py in a process of its own; it is killed after the test if it still runs."""
    started: list[subprocess.Popen[bytes]] = []

    def start(role: str, *arguments: object, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.ipc.peer", role, *map(str, arguments)]
        started.append(subprocess.Popen(command, cwd=ROOT, pass_fds=pass_fds, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
