"""Callers that send too much, too slowly, or not at all."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from flux.master.http.call import GatewayCall, Result
from tests.integration.master.conftest import Client, Serve, Served, get, post, until

MIB = 1024 * 1024


async def test_a_body_that_is_announced_too_large_is_not_read(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
        assert answer.closes


async def test_100_mb_get_their_413_although_the_caller_sends_on(serve: Serve) -> None:
    served = await serve()
    process = psutil.Process()
    async with await served.connect() as client:
        before = process.memory_info().rss
        client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n")
        piece = bytes(MIB)
        for _ in range(100):
            client.send(piece)
            await client.writer.drain()
        assert (await client.answer()).code == "PAYLOAD_TOO_LARGE"
        assert process.memory_info().rss - before < 20 * MIB
        assert await client.closed() == b""


async def test_a_chunked_body_is_counted(serve: Serve) -> None:
    served = await serve({"limits.body_bytes": 1000})
    async with await served.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1f4\r\n" + b"x" * 500 + b"\r\n")
        client.send(b"1f5\r\n")
        answer = await client.answer()
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
        assert answer.closes
    assert served.calls == []


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
async def test_bodies_up_to_the_limit_pass(serve: Serve, size: int) -> None:
    served = await serve({"limits.body_bytes": 1000})
    body = b"x" * size
    async with await served.connect() as client:
        head = "Content-Type: text/plain\r\nHost: x\r\n"
        fixed = f"POST /echo HTTP/1.1\r\n{head}Content-Length: {size}\r\n\r\n".encode() + body
        assert (await client.ask(fixed)).json()["body"] == (body.decode() or None)
        chunk = b"%x\r\n%b\r\n" % (size, body) if size else b""
        chunked = f"POST /echo HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk + b"0\r\n\r\n"
        assert (await client.ask(chunked)).json()["body"] == body.decode()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /hello HTTP/1.1\r\nHost: x\r\n" + "x: y\r\n" * 200, 431),
        ("GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + "y" * 40_000 + "\r\n", 431),
        ("GET /" + "a" * 40_000 + " HTTP/1.1\r\nHost: x\r\n", 431),
        ("GET /hello HTTP/1.1\r\nHost: x\r\n" + "".join(f"x{i}: {'y' * 100}\r\n" for i in range(400)), 431),
        ("GET /hello?" + "&".join(f"a{i}" for i in range(2000)) + " HTTP/1.1\r\nHost: x\r\n", 400),
    ],
)
async def test_floods_in_the_head(serve: Serve, head: str, status: int) -> None:
    served = await serve()
    async with await served.connect() as client:
        answer = await client.ask(head.encode() + b"\r\n")
        assert answer.status == status
        assert answer.code == ("HEAD_TOO_LARGE" if status == 431 else "INVALID_REQUEST")
    assert served.calls == []


async def test_a_head_without_end_is_refused_at_the_limit(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        client.send(b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 33_000)
        assert (await client.answer()).code == "HEAD_TOO_LARGE"


async def test_connections_that_send_nothing_are_closed(serve: Serve) -> None:
    served = await serve({"server.header_timeout_s": 0.1})
    async with await served.connect() as silent, await served.connect() as slow:
        slow.send(b"GET /hello HT")
        assert await silent.closed() == b""
        answer = await slow.answer()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert answer.closes


async def test_a_dripping_head_does_not_extend_its_time(serve: Serve) -> None:
    served = await serve({"server.header_timeout_s": 0.2})
    async with await served.connect() as client:
        answer = asyncio.create_task(client.answer())
        for byte in get("/hello", "x: y\r\n" * 50):
            if answer.done():
                break
            client.send(bytes([byte]))
            await asyncio.wait([answer], timeout=0.02)
        assert (await answer).status == 408


async def test_a_body_that_does_not_come_times_out(serve: Serve) -> None:
    served = await serve({"server.body_timeout_s": 0.1})
    async with await served.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        answer = await client.answer()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert answer.closes
    (refused,) = served.refused
    assert refused[0].spec is not None


async def test_the_rest_of_a_refused_body_must_come_too(serve: Serve) -> None:
    served = await serve({"server.body_timeout_s": 0.1})
    async with await served.connect() as client:
        assert (await client.ask(b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")).status == 404
        assert await client.closed() == b""


async def test_idle_connections_are_kept_for_the_time_set(serve: Serve) -> None:
    served = await serve({"server.keepalive_s": 0.1})
    async with await served.connect() as client:
        for _ in range(3):
            assert (await client.ask(get("/hello"))).status == 200
        assert await client.closed() == b""


async def test_a_function_may_take_longer_than_any_of_these(serve: Serve) -> None:
    limits = {"server.keepalive_s": 0.02, "server.body_timeout_s": 0.02, "server.header_timeout_s": 0.02}
    served = await serve(limits)
    release = asyncio.Event()

    async def slow(call: GatewayCall) -> Result:
        await release.wait()
        return Result(200, [], b"done")

    served.dispatch = slow
    async with await served.connect() as client, await served.connect() as silent:
        client.send(post("/echo"))
        await silent.closed()
        release.set()
        assert (await client.answer()).body == b"done"


async def test_a_caller_that_does_not_read_is_cut(serve: Serve) -> None:
    served = await serve({"server.body_timeout_s": 0.1})

    async def big(call: GatewayCall) -> Result:
        return Result(200, [], b"x" * 32 * MIB)

    served.dispatch = big
    async with await served.connect() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport is a full one
        client.send(get("/hello"))
        await until(lambda: bool(served.calls))
        await until(lambda: served.edge.open_connections == 0)


async def test_too_many_connections(serve: Serve) -> None:
    served = await serve({"server.max_connections": 3})
    clients = [await served.connect() for _ in range(3)]
    for client in clients:
        assert (await client.ask(get("/hello"))).status == 200
    async with await served.connect() as surplus:
        answer = await surplus.answer()
        assert (answer.status, answer.code) == (503, "OVERLOADED")
        assert answer.headers["retry-after"] == "1"
        assert answer.closes
        assert await surplus.closed() == b""
    await clients[0].__aexit__()
    await until(lambda: served.edge.open_connections < 3)
    async with await served.connect() as client:
        assert (await client.ask(get("/hello"))).status == 200
    for client in clients:
        await client.__aexit__()


async def idle(served: Served, count: int) -> list[Client]:
    return [await served.connect() for _ in range(count)]


async def test_2000_idle_connections_harm_nobody(serve: Serve) -> None:
    served = await serve()
    process = psutil.Process()
    before = process.memory_info().rss
    clients = await idle(served, 2000)
    try:
        await until(lambda: served.edge.open_connections == 2000)
        # Both ends are in this process; a connection costs 2 KB or so on ours.
        assert process.memory_info().rss - before < 100 * MIB
        async with await served.connect() as client:
            for _ in range(100):
                assert (await client.ask(post("/echo"))).status == 200
    finally:
        for client in clients:
            client.writer.transport.abort()


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"a":"\xff"}', "INVALID_JSON"), (b"[" * 200, "INVALID_JSON"), (b"[" * 500_000, "INVALID_JSON")],
)
async def test_json_that_would_harm(serve: Serve, body: bytes, code: str) -> None:
    served = await serve()
    async with await served.connect() as client:
        answer = await client.ask(post("/echo", body))
        assert (answer.status, answer.code) == (400, code)
        assert (await client.ask(post("/echo"))).status == 200
    assert len(served.calls) == 1


async def test_compressed_bodies_are_refused(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        assert (await client.ask(post("/echo", headers="Content-Encoding: gzip\r\n"))).status == 415
