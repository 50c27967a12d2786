"""Sender and Receiver in one loop, on real eventfds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from flux.ipc.channel import BATCH, Positioned, Receiver, Record, Sender
from flux.ipc.doorbell import Doorbell
from flux.ipc.errors import RecordTooLarge, RingCorrupt
from flux.ipc.segment import FOLDER, HEADER_BYTES, Segment

from .conftest import MakeSegment

TAG = bytes(16)
CAPACITY = 4096


class Inbox:
    """Collects batches, and can be awaited for a number of records."""

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.news = asyncio.Event()

    def __call__(self, batch: list[Record]) -> None:
        self.batches.append(batch)
        self.news.set()

    @property
    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch]

    async def holds(self, count: int) -> list[Record]:
        while len(self.records) < count:
            self.news.clear()
            await self.news.wait()
        return self.records


@pytest.fixture
def segment(make_segment: MakeSegment) -> Segment:
    return make_segment(CAPACITY)


@pytest.fixture
def doorbell(doorbells: tuple[Doorbell, Doorbell]) -> Doorbell:
    return doorbells[0]


@pytest.fixture
async def inbox(segment: Segment, doorbell: Doorbell) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    receiver = Receiver(segment.requests, doorbell, asyncio.get_running_loop(), inbox)
    receiver.start()
    yield inbox
    receiver.stop()


@pytest.fixture
async def sender(segment: Segment, doorbell: Doorbell) -> AsyncIterator[Sender]:
    sender = Sender(segment.requests, doorbell)
    yield sender
    await sender.close()


async def turns(count: int = 3) -> None:
    """Let the loop run everything that is ready, a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_sleeping_receiver_is_woken(sender: Sender, inbox: Inbox, doorbell: Doorbell) -> None:
    await turns()  # asleep now
    for index in range(100):
        assert sender.send(index, TAG, b"he", b"llo")
        assert (await inbox.holds(index + 1))[-1] == (index, TAG, b"hello")


async def test_a_receiver_that_is_awake_is_not_rung(segment: Segment, sender: Sender, doorbell: Doorbell) -> None:
    inbox = Inbox()
    receiver = Receiver(segment.requests, doorbell, asyncio.get_running_loop(), inbox)
    receiver.start()
    assert sender.send(1, TAG)
    assert sender.send(1, TAG)
    assert not doorbell.clear(), "it has not yet gone to sleep for the first time"
    await inbox.holds(2)
    await turns()
    assert sender.send(1, TAG)
    assert doorbell.clear()
    assert sender.send(1, TAG)
    assert not doorbell.clear(), "once is enough"
    doorbell.ring()
    await inbox.holds(4)
    receiver.stop()


async def test_what_was_there_before_the_start_is_handed_out(segment: Segment, doorbell: Doorbell) -> None:
    assert segment.requests.try_write(1, TAG, b"early")
    inbox = Inbox()
    receiver = Receiver(segment.requests, doorbell, asyncio.get_running_loop(), inbox)
    receiver.start()
    assert await inbox.holds(1) == [(1, TAG, b"early")]
    receiver.stop()
    receiver.stop()


async def test_batches_leave_turns_to_others(sender: Sender, inbox: Inbox) -> None:
    turn = 0
    seen: list[int] = []

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        seen.append(len(inbox.records))
        if len(inbox.records) < 150:
            loop.call_soon(count_turns)

    loop = asyncio.get_running_loop()
    for _ in range(150):
        assert sender.send(1, TAG)
    loop.call_soon(count_turns)
    await inbox.holds(150)
    assert [len(batch) for batch in inbox.batches] == [BATCH, 150 - BATCH]
    assert BATCH in seen, "somebody else ran between the batches"


async def test_a_stopped_receiver_leaves_the_rest_in_the_ring(segment: Segment, doorbell: Doorbell) -> None:
    got: list[Record] = []

    def take_one_batch(batch: list[Record]) -> None:
        got.extend(batch)
        receiver.stop()

    receiver = Receiver(segment.requests, doorbell, asyncio.get_running_loop(), take_one_batch)
    for _ in range(BATCH + 1):
        assert segment.requests.try_write(1, TAG)
    receiver.start()
    await turns()
    assert len(got) == BATCH
    assert not segment.requests.reader_sleeps()
    assert len(segment.requests.read(10)) == 1


async def test_a_failing_callback_does_not_end_the_receiver(segment: Segment, doorbell: Doorbell) -> None:
    inbox = Inbox()
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))

    def fail_first(batch: list[Record]) -> None:
        inbox(batch)
        if len(inbox.batches) == 1:
            raise RuntimeError("this callback is broken")

    receiver = Receiver(segment.requests, doorbell, loop, fail_first)
    sender = Sender(segment.requests, doorbell)
    receiver.start()
    assert sender.send(1, TAG)
    await inbox.holds(1)
    assert sender.send(2, TAG)
    await inbox.holds(2)
    assert [str(problem["exception"]) for problem in problems] == ["this callback is broken"]
    receiver.stop()


@pytest.mark.parametrize("own_handler", [True, False])
async def test_corrupt_memory_stops_the_receiver(
    segment: Segment, doorbell: Doorbell, sender: Sender, own_handler: bool
) -> None:
    told: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.set_result(context["exception"]))
    handler: Callable[[RingCorrupt], None] | None = told.set_result if own_handler else None
    receiver = Receiver(segment.requests, doorbell, loop, Inbox(), on_corrupt=handler)
    receiver.start()
    with (FOLDER / segment.name).open("r+b") as file:
        file.seek(HEADER_BYTES + 128)
        file.write(b"\3")
    assert isinstance(await told, RingCorrupt)
    doorbell.ring()
    await turns()
    with pytest.raises(RingCorrupt):
        await sender.send_all(1, TAG, bytes(3000))


async def test_a_journal_is_received_with_positions(segment: Segment, doorbell: Doorbell) -> None:
    got: asyncio.Queue[Positioned] = asyncio.Queue()

    def release(batch: list[Positioned]) -> None:
        for record in batch:
            got.put_nowait(record)
        segment.journal.release(batch[-1][3])

    read = segment.journal.read_with_positions
    receiver = Receiver(segment.journal, doorbell, asyncio.get_running_loop(), release, read=read)
    receiver.start()
    sender = Sender(segment.journal, doorbell)
    assert sender.send(1, TAG, b"abc")
    assert await got.get() == (1, TAG, b"abc", 32)
    assert segment.journal.durable == 32
    receiver.stop()


class TestSendAll:
    async def test_a_record_much_larger_than_the_ring(self, sender: Sender, inbox: Inbox) -> None:
        payload = bytes(range(256)) * 400
        assert not sender.send(1, TAG, payload), "too large to be written at once, not an error"
        await sender.send_all(1, TAG, payload)
        assert await inbox.holds(1) == [(1, TAG, payload)]

    async def test_small_records_pass_large_ones(self, sender: Sender, segment: Segment) -> None:
        large = asyncio.create_task(sender.send_all(1, TAG, bytes(10_000)))
        await turns()
        assert segment.requests.free >= CAPACITY // 2
        assert sender.send(2, TAG, bytes(segment.requests.share))
        got: list[Record] = []
        while len(got) < 2:
            got += segment.requests.read(10)
            await asyncio.sleep(0)
        assert [kind for kind, _, _ in got] == [2, 1]
        await large

    async def test_order_of_the_calls_is_kept(self, sender: Sender, inbox: Inbox) -> None:
        sizes = [9000, 10, 5000, 0, 3000]
        await asyncio.gather(*(sender.send_all(index, TAG, bytes(size)) for index, size in enumerate(sizes)))
        got = await inbox.holds(len(sizes))
        assert [(kind, len(payload)) for kind, _, payload in got] == list(enumerate(sizes))

    async def test_waits_while_the_ring_is_full(self, sender: Sender, segment: Segment) -> None:
        while sender.send(1, TAG):
            pass
        waiting = asyncio.create_task(sender.send_all(2, TAG, b""))
        await turns(20)
        assert not waiting.done()
        segment.requests.read(1)
        await waiting
        assert segment.requests.read(1000)[-1] == (2, TAG, b"")

    async def test_in_a_journal_nothing_passes_a_large_record(self, segment: Segment) -> None:
        journal = segment.journal
        sender = Sender(journal, None)
        assert sender.send(1, TAG, bytes(1000))
        assert sender.send(1, TAG, bytes(1000))
        assert sender.send(1, TAG, bytes(1000))
        large = asyncio.create_task(sender.send_all(2, TAG, bytes(journal.largest)))
        await turns()
        assert not sender.send(3, TAG), "there is room, but the large one would starve"
        for _, _, _, end in journal.read_with_positions(2):
            journal.release(end)
        await large
        assert sender.send(3, TAG)
        assert [kind for kind, _, _ in journal.read(10)] == [1, 2, 3]

    async def test_cancelled_before_its_turn_is_not_sent(self, sender: Sender, segment: Segment) -> None:
        while sender.send(1, TAG):
            pass
        first, second = (asyncio.create_task(sender.send_all(kind, TAG, b"")) for kind in (2, 3))
        await turns()
        first.cancel()
        await turns()
        segment.requests.read(1000)
        await second
        assert [kind for kind, _, _ in segment.requests.read(10)] == [3]

    async def test_cancelled_in_the_middle_is_sent_to_its_end(self, sender: Sender, segment: Segment) -> None:
        payload = bytes(range(250)) * 100
        task = asyncio.create_task(sender.send_all(1, TAG, payload))
        await turns()
        task.cancel()
        got: list[Record] = []
        while not got:
            got += segment.requests.read(10)
            await asyncio.sleep(0)
        assert got == [(1, TAG, payload)]
        assert task.cancelled()

    async def test_close_gives_up(self, segment: Segment) -> None:
        sender = Sender(segment.requests, None)
        waiting = [asyncio.create_task(sender.send_all(1, TAG, bytes(100_000))) for _ in range(2)]
        await turns()
        await sender.close()
        await turns()
        assert all(task.cancelled() for task in waiting)
        await sender.close()

    async def test_close_before_the_first_turn_gives_up_too(self, segment: Segment) -> None:
        sender = Sender(segment.requests, None)
        waiting = asyncio.create_task(sender.send_all(1, TAG, bytes(100_000)))
        await asyncio.sleep(0)
        await sender.close()
        await turns()
        assert waiting.cancelled()

    async def test_errors_reach_the_caller(self, sender: Sender, segment: Segment) -> None:
        with pytest.raises(ValueError, match="16 bytes"):
            await sender.send_all(1, b"short", bytes(5000))
        with pytest.raises(ValueError, match="16 bytes"):
            await sender.send_all(1, b"short", b"")
        await sender.send_all(1, TAG, b"the line goes on")
        journal = Sender(segment.journal, None)
        with pytest.raises(RecordTooLarge):
            await journal.send_all(1, TAG, bytes(segment.journal.largest + 1))
        with pytest.raises(RecordTooLarge):
            journal.send(1, TAG, bytes(segment.journal.largest + 1))
