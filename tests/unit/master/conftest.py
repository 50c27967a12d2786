"""A lane whose worker is played by the test, over real shared memory."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from flux.ipc.channel import Sender
from flux.ipc.doorbell import Doorbell
from flux.ipc.segment import Segment
from flux.master.dispatcher import Lane


class FakeWorker:
    """The other end of a lane: reads requests and writes results when the test says so."""

    def __init__(self, index: int = 1) -> None:
        self.segment = Segment.create(
            f"flux-test-{uuid.uuid4().hex[:12]}", request_bytes=65536, result_bytes=65536, journal_bytes=65536
        )
        self.requests_bell, self.results_bell = Doorbell.create(), Doorbell.create()
        sender = Sender(self.segment.requests, self.requests_bell)
        self.lane = Lane(index, 1, self.segment, sender, self.requests_bell, self.results_bell)
        self.results = Sender(self.segment.results, self.results_bell)

    def requests(self) -> list[tuple[int, bytes, bytes]]:
        return self.segment.requests.read(1000)

    async def next_request(self) -> tuple[int, bytes, bytes]:
        while not (found := self.segment.requests.read(1)):
            await asyncio.sleep(0)
        return found[0]

    def close(self) -> None:
        if self.lane.receiver is not None:
            self.lane.receiver.stop()
        self.segment.close()
        self.segment.unlink()
        self.requests_bell.close()
        self.results_bell.close()


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    made = FakeWorker()
    yield made
    made.close()


@pytest.fixture
def other_worker() -> Iterator[FakeWorker]:
    made = FakeWorker(2)
    yield made
    made.close()
