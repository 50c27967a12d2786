"""What a worker says, when there is room for it and when there is none."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from flux.ipc.channel import Sender
from flux.ipc.segment import Segment
from flux.ipc.wire import ResultKind, unpack_result
from flux.workers.result_writer import NOBODY, ResultWriter
from flux.workers.tasks import Tasks

RING_BYTES = 65536


@pytest.fixture
def segment() -> Iterator[Segment]:
    made = Segment.create(
        f"flux-test-{uuid.uuid4().hex[:12]}",
        request_bytes=RING_BYTES,
        result_bytes=RING_BYTES,
        journal_bytes=RING_BYTES,
    )
    yield made
    made.close()
    made.unlink()


async def test_with_room_it_is_said_at_once(segment: Segment) -> None:
    tasks = Tasks(asyncio.get_running_loop(), lambda: None)
    results = ResultWriter(Sender(segment.results, None), tasks)
    results.say(ResultKind.READY, b"{}")
    results.answer(b"x" * 16, 201, b'[["a","b"]]', b"made")
    said, (kind, tag, payload) = segment.results.read(10)
    assert said == (ResultKind.READY, NOBODY, b"{}")
    assert (kind, tag, unpack_result(payload)) == (ResultKind.RESULT, b"x" * 16, (201, b'[["a","b"]]', b"made"))
    assert len(tasks) == 0


async def test_without_room_it_waits_and_nothing_is_lost(segment: Segment) -> None:
    tasks = Tasks(asyncio.get_running_loop(), lambda: None)
    results = ResultWriter(Sender(segment.results, None), tasks)
    sent = [bytes([n]) * 16 for n in range(1, 20)]
    for tag in sent:
        results.answer(tag, 200, b"", bytes(RING_BYTES // 8))
    results.say(ResultKind.NUDGE)
    assert len(tasks) > 0
    got: list[bytes] = []
    async with asyncio.timeout(20):
        while len(got) < len(sent) + 1:
            got += [tag for _, tag, _ in segment.results.read(10)]
            await asyncio.sleep(0)
    assert sorted(got) == sorted([*sent, NOBODY])
    while len(tasks):
        await asyncio.sleep(0)
