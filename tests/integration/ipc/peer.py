"""The other process of the tests: `python -m tests.integration.ipc.peer ROLE ...`."""

from __future__ import annotations

import asyncio
import random
import sys
import zlib
from collections.abc import Callable

from flux.ipc.channel import Receiver, Record, Sender
from flux.ipc.doorbell import Doorbell
from flux.ipc.segment import Segment


def record(seed: int, index: int, largest: int) -> Record:
    """Record number `index` of a stream that both processes can compute: mostly small, some large, some empty."""
    source = random.Random(seed * 1_000_003 + index)
    size = source.choice((0, 7, 200, 300, 1500, source.randrange(largest + 1)))
    return source.randrange(256), index.to_bytes(16, "big"), source.randbytes(size)


def write_plain(name: str, seed: int) -> None:
    """Write the stream to the results ring for ever, small records whole and large ones in fragments."""
    ring = Segment.open(name).results
    index = 0
    while True:
        kind, tag, payload = record(seed, index, ring.capacity)
        if len(payload) <= ring.share:
            while not ring.try_write(kind, tag, payload):
                pass
        else:
            sent = 0
            while sent < len(payload):
                sent += ring.write_fragment(kind, tag, payload, sent)
        index += 1


def write_journal(name: str, seed: int) -> None:
    """Write the stream to the journal for ever."""
    ring = Segment.open(name).journal
    index = 0
    while True:
        while not ring.try_write(*record(seed, index, ring.largest)):
            pass
        index += 1


def read_journal(name: str, seed: int) -> None:
    """Read the stream from the journal for ever, releasing some of it at random; ends with 1 when it is not right."""
    ring = Segment.open(name).journal
    chance = random.Random(seed)
    index = 0
    open_ends: list[int] = []
    while True:
        for kind, tag, payload, end in ring.read_with_positions(chance.randrange(1, 20)):
            if (kind, tag, payload) != record(seed, index, ring.largest):
                sys.exit(1)
            index += 1
            open_ends.append(end)
        if open_ends and (chance.random() < 0.3 or ring.free < ring.capacity // 2):
            at = chance.randrange(len(open_ends))
            ring.release(open_ends[at])
            del open_ends[: at + 1]


def echo(name: str, requests_fd: int, results_fd: int) -> None:
    """Answer each request with its checksum and its own payload until the empty record comes."""
    asyncio.run(_echo(name, Doorbell(requests_fd), Doorbell(results_fd)))


async def _echo(name: str, requests_bell: Doorbell, results_bell: Doorbell) -> None:
    segment = Segment.open(name)
    segment.join()
    sender = Sender(segment.results, results_bell)
    answers: asyncio.Queue[Record] = asyncio.Queue()
    receiver = Receiver(segment.requests, requests_bell, asyncio.get_running_loop(), lambda batch: put(answers, batch))
    receiver.start()
    while (answer := await answers.get())[2]:
        kind, tag, payload = answer
        payload = zlib.crc32(payload).to_bytes(4, "big") + payload
        if not sender.send(kind, tag, payload):
            await sender.send_all(kind, tag, payload)
    receiver.stop()
    await sender.close()
    segment.close()


def put(queue: asyncio.Queue[Record], batch: list[Record]) -> None:
    for item in batch:
        queue.put_nowait(item)


ROLES: dict[str, Callable[..., None]] = {
    "write_plain": write_plain,
    "write_journal": write_journal,
    "read_journal": read_journal,
    "echo": echo,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
