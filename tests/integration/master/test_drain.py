"""How an edge ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from flux.errors import AlreadyRunning, LocalError
from flux.master.http.call import GatewayCall, Result
from flux.master.http.mounts import ApiRequest, ApiResponse, Mount
from tests.integration.master.conftest import Serve, Served, get, until


async def test_what_is_in_flight_is_finished_and_nothing_new_is_taken(serve: Serve) -> None:
    served = await serve()
    release = asyncio.Event()

    async def later(call: GatewayCall) -> Result:
        await release.wait()
        return Result(200, [], b"done")

    served.dispatch = later
    async with await served.connect() as busy, await served.connect() as idle, await served.connect() as late:
        assert (await idle.ask(get("/none"))).status == 404
        assert (await late.ask(get("/none"))).status == 404
        busy.send(get("/hello") * 2)
        await until(lambda: bool(served.calls))
        drain = asyncio.create_task(served.edge.drain(10))
        await asyncio.sleep(0)
        with pytest.raises(OSError, match=r"refused|Connect call failed|reset"):
            await served.connect()
        # A request that was on its way when the drain began is answered, as the last one of its connection.
        assert (await late.ask(get("/none"))).closes
        assert await idle.closed() == b""
        assert not drain.done()
        release.set()
        answer = await busy.answer()
        assert answer.body == b"done"
        assert answer.closes
        assert await busy.closed() == b""
        assert await drain == 0


async def test_what_does_not_end_in_time_is_cut_and_counted(serve: Serve) -> None:
    served = await serve()

    async def never(call: GatewayCall) -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    served.dispatch = never
    async with await served.connect() as client:
        client.send(get("/hello"))
        await until(lambda: bool(served.calls))
        assert await served.edge.drain(0.05) == 1
        assert await client.closed() == b""


async def test_streams_end_with_the_drain(serve: Serve) -> None:
    async def stream(request: ApiRequest) -> ApiResponse:
        async def parts() -> AsyncGenerator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        return ApiResponse(content_type="text/plain", stream=parts())

    served = await serve(exact={"/stream": stream})
    async with await served.connect() as client:
        assert (await client.ask(get("/stream"))).headers["transfer-encoding"] == "chunked"
        assert await client.reader.readuntil(b"first\r\n") == b"5\r\nfirst\r\n"
        drain = asyncio.create_task(served.edge.drain(10))
        assert await client.closed() == b"0\r\n\r\n"
        assert await drain == 0


async def test_a_stream_ends_with_its_caller(serve: Serve) -> None:
    ended = asyncio.Event()

    async def stream(request: ApiRequest) -> ApiResponse:
        async def parts() -> AsyncGenerator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return ApiResponse(stream=parts())

    served = await serve(exact={"/stream": stream})
    async with await served.connect() as client:
        await client.ask(get("/stream"))
        await client.reader.readuntil(b"first\r\n")
    await ended.wait()


async def test_mounts(serve: Serve) -> None:
    async def health(request: ApiRequest) -> ApiResponse:
        return ApiResponse(body=f"{request.method} {request.path} {dict(request.query)}".encode())

    async def api(request: ApiRequest) -> ApiResponse:
        raise RuntimeError("a defect")

    served = await serve(exact={"/health": health}, api=Mount(handler=api))
    async with await served.connect() as client:
        assert (await client.ask(get("/health?a=1"))).body == b"GET /health {'a': '1'}"
        assert (await client.ask(get("/flux"))).code == "NOT_FOUND"
        assert (await client.ask(get("/fluxus"))).code == "ROUTE_NOT_FOUND"
        assert (await client.ask(get("/flux/api/x"))).code == "INTERNAL"
        assert (await client.ask(get("/flux/api/x", "Content-Length: 9999999\r\n"))).code == "PAYLOAD_TOO_LARGE"
    assert [error.code for _, error in served.refused] == ["ROUTE_NOT_FOUND"]


async def test_a_port_in_use_is_named(serve: Serve) -> None:
    served = await serve()
    other = Served()
    with pytest.raises(AlreadyRunning, match=str(served.port)):
        async with other:
            await other.edge.start("127.0.0.1", served.port)
    with pytest.raises(LocalError, match=r"192\.0\.2\.1"):
        await other.edge.start("192.0.2.1", 0)
