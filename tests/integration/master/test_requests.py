"""Requests that go through, and what comes back."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
import uuid

import pytest

from flux.errors import Overloaded, ValidationFailed
from flux.master.gateway.auth import ApiKey
from flux.master.http.call import GatewayCall, Result
from tests.integration.master.conftest import JSON, Serve, get, post, until


async def test_a_call_has_everything(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        answer = await client.ask(get("/users/a%20b?x=1&y=2&y=3&z=", f"X-A: caf\xe9\r\nTraceparent: {parent}\r\n"))
    seen = answer.json()
    assert answer.status == 200
    assert seen["params"] == {"id": "a b"}
    assert seen["query"] == {"x": "1", "y": ["2", "3"], "z": ""}
    assert ["x-a", "caf\xc3\xa9"] in seen["headers"]
    assert seen["body"] is None
    assert seen["url"] == "http://x/users/a%20b?x=1&y=2&y=3&z="
    (call,) = served.calls
    assert call.route == "/users/:id"
    assert call.traceparent == parent
    assert str(uuid.UUID(bytes=call.request_id)) == answer.headers["x-request-id"]
    assert 0 <= call.gateway_us < 10_000_000
    assert call.remote == "127.0.0.1"


@pytest.mark.parametrize("target", [b"/users/caf\xc3\xa9", b"/users/\xff", b"/hello?\xff"])
async def test_bytes_beyond_ascii_must_be_escaped(serve: Serve, target: bytes) -> None:
    served = await serve()
    async with await served.connect() as client:
        assert (await client.ask(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")).code == "INVALID_REQUEST"


async def test_a_recorder_that_fails_does_not_cost_the_connection(serve: Serve) -> None:
    served = await serve()
    served.refused = None  # type: ignore[assignment]  # appending to it fails
    async with await served.connect() as client:
        for _ in range(2):
            assert (await client.ask(get("/none"))).status == 404


async def test_answers_have_the_usual_headers_and_no_server(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        answer = await client.ask(post("/echo", b'{"a":1}'))
    assert answer.json()["body"] == '{"a":1}'
    assert {"date", "x-request-id", "content-type", "content-length"} == set(answer.headers)


async def test_a_trusted_caller_names_the_request(serve: Serve) -> None:
    identity = str(uuid.uuid4())
    trusting = await serve()
    strict = await serve({"server.trusted_callers": ["10.0.0.0/8"]})
    for served, same in ((trusting, True), (strict, False)):
        async with await served.connect() as client:
            answer = await client.ask(get("/hello", f"X-Request-ID: {identity}\r\n"))
            assert (answer.headers["x-request-id"] == identity) is same


async def test_head_is_get_without_the_body(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        client.send(b"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.answer(head_only=True)
        assert answer.status == 200
        assert int(answer.headers["content-length"]) > 0
        client.send(b"HEAD /none HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer(head_only=True)).status == 404
        # Nothing of a body is in the way of the next response.
        assert (await client.ask(get("/hello"))).status == 200


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    served = await serve()
    waiting: list[asyncio.Future[Result]] = []
    arrived = asyncio.Event()

    async def later(call: GatewayCall) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        arrived.set()
        return await future

    served.dispatch = later
    async with await served.connect() as client:
        client.send(b"".join(post("/echo", b"%d" % number) for number in range(50)) + get("/none"))
        for number in range(50):
            await arrived.wait()
            arrived.clear()
            # One at a time: the next is not looked at before this one is answered.
            assert len(waiting) == number + 1
            waiting[number].set_result(Result(200, [], served.calls[number].body or b""))
            assert (await client.answer()).body == b"%d" % number
        assert (await client.answer()).code == "ROUTE_NOT_FOUND"


async def test_a_flood_of_pipelined_requests_is_not_buffered_without_bound(serve: Serve) -> None:
    served = await serve()
    release = asyncio.Event()

    async def later(call: GatewayCall) -> Result:
        await release.wait()
        return Result(200, [], b"")

    served.dispatch = later
    count = 20_000
    async with await served.connect() as client:
        client.send(get("/hello") * count)
        drained = asyncio.create_task(client.writer.drain())
        release.set()
        for _ in range(count):
            assert (await client.answer()).status == 200
        await drained
    assert len(served.calls) == count


async def test_connection_close_and_http_1_0(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        answer = await client.ask(get("/hello", "Connection: close\r\n"))
        assert answer.closes
        assert await client.closed() == b""
    async with await served.connect() as client:
        answer = await client.ask(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.headers["connection"] == "keep-alive"
        assert (await client.ask(b"GET /hello HTTP/1.0\r\n\r\n")).closes
        assert await client.closed() == b""


async def test_a_caller_may_close_its_half_and_still_get_its_answers(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        client.send(get("/hello") * 3)
        client.writer.write_eof()
        assert [(await client.answer()).status for _ in range(3)] == [200] * 3
        assert await client.closed() == b""


async def test_100_continue(serve: Serve) -> None:
    served = await serve()
    async with await served.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"{}")).status == 200
    async with await served.connect() as client:
        client.send(b"POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 404")


async def test_refusals_are_reported_with_their_identity(serve: Serve) -> None:
    served = await serve({"limits.body_bytes": 10})
    async with await served.connect() as client:
        answers = [
            await client.ask(get("/none")),
            await client.ask(get("/echo")),
            await client.ask(post("/closed")),
            await client.ask(post("/echo", b'"\xff"')),
            await client.ask(b"nonsense\r\n\r\n"),
        ]
    codes = [answer.code for answer in answers]
    assert codes == ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "UNAUTHENTICATED", "INVALID_JSON", "INVALID_REQUEST"]
    assert answers[1].headers["allow"] == "OPTIONS, POST, PUT"
    assert [error.code for _, error in served.refused] == codes
    for (call, _), answer in zip(served.refused, answers, strict=True):
        assert str(uuid.UUID(bytes=call.request_id)) == answer.headers["x-request-id"]
    assert [call.route for call, _ in served.refused] == ["", "", "/closed", "/echo", ""]
    assert served.refused[3][0].body == b'"\xff"'
    assert b'"body":"refused"' in served.refused[3][0].decisions
    assert served.metrics.refused.values[("ROUTE_NOT_FOUND",)] == 1


async def test_a_key_opens_a_closed_route(serve: Serve) -> None:
    key = ApiKey("abcd1234", hashlib.sha256(b"s3cret").digest(), "acme", "billing")
    served = await serve(keys={key.id: key})
    async with await served.connect() as client:
        refused = await client.ask(post("/closed"))
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        answer = await client.ask(post("/closed", headers="Authorization: Bearer flux_abcd1234_s3cret\r\n"))
        assert answer.status == 200
    assert served.calls[0].tenant == "acme"


async def test_rate_limit(serve: Serve) -> None:
    served = await serve({"rate_limit.rate": 0.001, "rate_limit.burst": 2})
    async with await served.connect() as client:
        answers = [await client.ask(get("/hello")) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert int(answers[2].headers["retry-after"]) >= 1


async def test_cors(serve: Serve) -> None:
    served = await serve({"cors.origins": ["https://app.example"]})
    async with await served.connect() as client:
        asked = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
        preflight = await client.ask(f"OPTIONS /echo HTTP/1.1\r\nHost: x\r\n{asked}\r\n".encode())
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert "content-length" not in preflight.headers
        answer = await client.ask(post("/echo", headers="Origin: https://app.example\r\n"))
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        refused = await client.ask(get("/none", "Origin: https://app.example\r\n"))
        assert refused.headers["access-control-allow-origin"] == "https://app.example"
    assert len(served.calls) == 1


async def fails(call: GatewayCall) -> Result:
    raise ValidationFailed("no", violations=[{"path": "a", "message": "b", "code": "c"}])


async def overloaded(call: GatewayCall) -> Result:
    raise Overloaded


async def crashes(call: GatewayCall) -> Result:
    raise RuntimeError("a defect")


async def splits(call: GatewayCall) -> Result:
    return Result(200, [("x", "a\r\nset-cookie: evil")], b"")


async def odd_status(call: GatewayCall) -> Result:
    return Result(101, [], b"")


@pytest.mark.parametrize(
    ("dispatch", "status", "code"),
    [
        (fails, 422, "VALIDATION_FAILED"),
        (overloaded, 503, "OVERLOADED"),
        (crashes, 500, "INTERNAL"),
        (splits, 500, "OUTPUT_INVALID"),
        (odd_status, 500, "OUTPUT_INVALID"),
    ],
)
async def test_failures_of_dispatch(serve: Serve, dispatch: object, status: int, code: str) -> None:
    served = await serve(dispatch=dispatch)
    async with await served.connect() as client:
        answer = await client.ask(get("/hello"))
        assert (answer.status, answer.code) == (status, code)
        assert ("retry-after" in answer.headers) is (status == 503)
        # The connection goes on, and nobody else was told that it was refused.
        assert (await client.ask(get("/hello"))).status == status
    assert served.refused == []
    assert served.metrics.requests.values[("hello", status)] == 2


async def test_a_dispatcher_that_refuses_at_once(serve: Serve) -> None:
    def refuses(call: GatewayCall) -> asyncio.Future[Result]:
        raise Overloaded

    served = await serve(dispatch=refuses)
    async with await served.connect() as client:
        assert (await client.ask(get("/hello"))).code == "OVERLOADED"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_caller_that_leaves_does_not_disturb(serve: Serve, reset: bool) -> None:
    served = await serve()
    gone, answered = asyncio.Event(), asyncio.Event()

    async def later(call: GatewayCall) -> Result:
        await gone.wait()
        asyncio.get_running_loop().call_soon(answered.set)
        return Result(200, JSON, b"{}")

    served.dispatch = later
    async with await served.connect() as client:
        client.send(get("/hello"))
        await until(lambda: bool(served.calls))
        if reset:
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if reset:
        await until(lambda: served.edge.open_connections == 0)
    gone.set()
    await answered.wait()
    await until(lambda: served.edge.open_connections == 0)
    async with await served.connect() as client:
        assert (await client.ask(get("/hello"))).status == 200


async def test_results_of_any_size(serve: Serve) -> None:
    big = b"x" * 8_000_000

    async def answer(call: GatewayCall) -> Result:
        return Result(200, [("content-length", "1"), ("connection", "close"), ("x-kept", "y")], big)

    served = await serve(dispatch=answer)
    async with await served.connect() as client:
        for _ in range(2):
            found = await client.ask(get("/hello"))
            assert found.body == big
            assert found.headers["x-kept"] == "y"
            assert not found.closes


async def test_204_has_no_body(serve: Serve) -> None:
    async def nothing(call: GatewayCall) -> Result:
        return Result(204, [], b"ignored")

    served = await serve(dispatch=nothing)
    async with await served.connect() as client:
        for _ in range(2):
            answer = await client.ask(get("/hello"))
            assert answer.status == 204
            assert "content-length" not in answer.headers
