"""Both channels of a segment under load, with another process at the far end."""

from __future__ import annotations

import asyncio
import random
import zlib

import pytest

from flux.ipc.channel import Receiver, Record, Sender
from flux.ipc.doorbell import Doorbell

from .conftest import MakeSegment, StartPeer

RECORDS = 200_000
CAPACITY = 1 << 16


def stream(seed: int) -> list[bytes]:
    """Payloads of random sizes, none empty; slices of one random block, so that making them costs little."""
    chance = random.Random(seed)
    block = chance.randbytes(200_000)
    payloads = []
    for index in range(RECORDS):
        # One in 2000 is larger than the ring; the rest is what requests are like.
        size = chance.randrange(1, 150_000) if index % 2000 == 1999 else chance.randrange(1, 600)
        at = chance.randrange(len(block) - size)
        payloads.append(block[at : at + size])
    return payloads


@pytest.mark.parametrize("burst", [1, 300], ids=["often asleep", "always busy"])
async def test_every_record_arrives_in_order_and_whole(
    burst: int,
    make_segment: MakeSegment,
    start_peer: StartPeer,
    doorbells: tuple[Doorbell, Doorbell],
) -> None:
    segment = make_segment(CAPACITY)
    requests_bell, results_bell = doorbells
    fds = (requests_bell.fd, results_bell.fd)
    peer = start_peer("echo", segment.name, *fds, pass_fds=fds)
    # Lock-step makes both sides sleep before every record: a lost wake-up would hang here. It is slow, so fewer.
    payloads = stream(burst)[: RECORDS if burst > 1 else 10_000]
    expected = 0
    room = asyncio.Semaphore(burst)
    finished = asyncio.Event()

    def check(batch: list[Record]) -> None:
        nonlocal expected
        for kind, tag, payload in batch:
            sent = payloads[expected]
            assert (kind, tag) == (expected % 256, expected.to_bytes(16, "big"))
            assert payload[4:] == sent
            assert payload[:4] == zlib.crc32(sent).to_bytes(4, "big")
            expected += 1
            room.release()
        if expected == len(payloads):
            finished.set()

    loop = asyncio.get_running_loop()
    receiver = Receiver(segment.results, results_bell, loop, check)
    receiver.start()
    sender = Sender(segment.requests, requests_bell)
    for index, payload in enumerate(payloads):
        await room.acquire()
        record = (index % 256, index.to_bytes(16, "big"))
        # All through the line once one waits, to keep the order that is checked.
        if not sender.send(*record, payload):
            await sender.send_all(*record, payload)
    await finished.wait()
    await sender.send_all(0, bytes(16), b"")
    assert await asyncio.to_thread(peer.wait) == 0
    assert segment.peer == peer.pid
    receiver.stop()
    await sender.close()
