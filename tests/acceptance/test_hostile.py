"""Callers that mean harm get a clear refusal in our shape, while everybody else is served."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from tests.fixtures.server import Client, Serve

from .load import Told, load

IDLE = 10_000
OTHER_FILES = 500
MEGABYTE = 1024 * 1024
HUNDRED_MB = 100 * MEGABYTE
HEAD = "POST /hello HTTP/1.1\r\nhost: flux\r\ncontent-type: application/json\r\n"
SETTINGS = {"FLUX_HEADER_TIMEOUT_S": "2", "FLUX_BODY_TIMEOUT_S": "2"}


@asynccontextmanager
async def others(client: Client) -> AsyncIterator[Told]:
    """Somebody else's requests, which go on all the time and must all be served."""
    async with load(client, "/hello", lambda number: {"name": str(number)}, callers=2) as told:
        await told.more(10)
        yield told
        await told.more(10)
    assert (set(told.by_status), told.broken, told.refused) == ({200}, 0, 0)


async def connect(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = client.server.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """(status, error code) of the response, whose shape must be ours."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    error = orjson.loads(await reader.readexactly(length))["error"]
    assert f"x-request-id: {error['request_id']}\r\n" in head
    assert error["message"]
    return int(head.split()[1]), error["code"]


async def refused(client: Client, head: str, *pieces: bytes) -> tuple[int, str]:
    """What a request made of these pieces is told, whether or not the caller could send them all."""
    reader, writer = await connect(client)

    async def send() -> None:
        writer.write(head.encode("latin-1"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    sending = asyncio.create_task(send())
    try:
        return await answer(reader)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


def allowed_files() -> int:
    """Raises the soft limit of this process to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def test_connections_that_send_nothing(serve: Serve) -> None:
    client = await serve(settings=SETTINGS)
    number = min(IDLE, allowed_files() - OTHER_FILES)
    reader, writer = await connect(client)
    with contextlib.ExitStack() as idle:
        async with others(client) as told:
            for _ in range(number):
                idle.enter_context(await connected(client))
            await told.more(100)
            assert await asyncio.wait_for(reader.read(), 20) == b""  # closed: there is no request to answer
    writer.close()


async def connected(client: Client) -> socket.socket:
    host, _, port = client.server.url.removeprefix("http://").partition(":")
    idle = socket.socket()
    idle.setblocking(False)
    await asyncio.get_running_loop().sock_connect(idle, (host, int(port)))
    return idle


async def test_heads_and_bodies_that_drip(serve: Serve) -> None:
    client = await serve(settings=SETTINGS)

    async def drip(head: str, body: bytes) -> tuple[int, str]:
        reader, writer = await connect(client)
        writer.write(head.encode())
        answered = asyncio.create_task(answer(reader))
        for byte in body * 100:
            if answered.done():
                break
            writer.write(bytes([byte]))
            await asyncio.wait([answered], timeout=0.1)
        writer.close()
        return await answered

    async with others(client) as told:
        slow = asyncio.gather(
            *(drip(HEAD + "content-length: 50000\r\n\r\n", b" ") for _ in range(50)),
            *(drip(HEAD + "x-slow: ", b"x") for _ in range(50)),
        )
        await told.more(50)
        assert set(await slow) == {(408, "REQUEST_TIMEOUT")}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_100_megabytes(serve: Serve, chunked: bool) -> None:
    client = await serve()
    piece = b"x" * MEGABYTE
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {HUNDRED_MB}"
    pieces = [b"%x\r\n%b\r\n" % (MEGABYTE, piece) if chunked else piece] * 100
    async with others(client) as told:
        answers = await asyncio.gather(*(refused(client, f"{HEAD}{framing}\r\n\r\n", *pieces) for _ in range(10)))
        assert set(answers) == {(413, "PAYLOAD_TOO_LARGE")}
        await told.more(20)


async def test_what_is_no_json(serve: Serve) -> None:
    client = await serve()
    bodies = {
        b'{"name": "\xff\xfe"}': "INVALID_JSON",
        b'{"name": "\xed\xa0\x80"}': "INVALID_JSON",
        b"[" * 100_000: "INVALID_JSON",
        b'{"name":' * 50_000 + b"1" + b"}" * 50_000: "INVALID_JSON",
        b'{"name": "Ada"': "INVALID_JSON",
        b"\x00": "INVALID_JSON",
    }
    async with others(client) as told:
        for body, code in bodies.items():
            assert await refused(client, f"{HEAD}content-length: {len(body)}\r\n\r\n", body) == (400, code), body[:20]
        await told.more(20)


async def test_floods_of_headers(serve: Serve) -> None:
    client = await serve()
    floods = {
        HEAD + "".join(f"x-{number}: 1\r\n" for number in range(10_000)) + "\r\n": (431, "HEAD_TOO_LARGE"),
        HEAD + f"x-long: {'x' * MEGABYTE}\r\n\r\n": (431, "HEAD_TOO_LARGE"),
        f"POST /{'x' * MEGABYTE} HTTP/1.1\r\nhost: flux\r\n\r\n": (431, "HEAD_TOO_LARGE"),
    }
    async with others(client) as told:
        for head, expected in floods.items():
            answers = await asyncio.gather(*(refused(client, head) for _ in range(10)))
            assert set(answers) == {expected}, head[:40]
        await told.more(20)


async def test_refusals_are_recorded(serve: Serve) -> None:
    client = await serve()
    assert (await refused(client, HEAD + f"content-length: {HUNDRED_MB}\r\n\r\n"))[0] == 413
    _, page = await client.api("GET", "/executions?status=413")
    [execution] = page["items"]
    assert (execution["path"], execution["status"]) == ("/hello", 413)
