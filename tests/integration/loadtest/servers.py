"""Small real HTTP servers that misbehave in a way a test asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Behaviour:
    """What the server does with the n-th request (from 1): stall this long, cut the connection, or answer so."""

    stall_s: Callable[[int], float] = lambda _number: 0.0
    cut: Callable[[int], bool] = lambda _number: False
    status: Callable[[int], int] = lambda _number: 200


@dataclass(kw_only=True)
class Seen:
    """What the server saw; `during_stall`: requests that arrived while it stalled another one."""

    address: tuple[str, int] = ("127.0.0.1", 0)
    requests: int = 0
    during_stall: int = 0
    stalled: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[Seen]:
    """Serves on a free loopback port."""
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.writers.append(writer)
        while await _read_request(reader):
            seen.requests += 1
            number = seen.requests
            seen.during_stall += seen.stalled
            if stall_s := behaviour.stall_s(number):
                seen.stalled += 1
                await asyncio.sleep(stall_s)
                seen.stalled -= 1
            if behaviour.cut(number):
                writer.close()
                return
            answer = f"HTTP/1.1 {behaviour.status(number)} X\r\nx-request-id: id-{number}\r\ncontent-length: 0\r\n\r\n"
            writer.write(answer.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    seen.address = server.sockets[0].getsockname()[:2]
    async with server:
        yield seen
        for writer in seen.writers:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bool:
    """Reads one request with a content-length; False at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return True
