"""An edge on a free port, with a dispatcher that the test plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from flux.config import load
from flux.errors import FluxError
from flux.master.gateway.auth import KeyTable
from flux.master.gateway.pipeline import Gateway
from flux.master.http.call import GatewayCall, Result
from flux.master.http.edge import Edge
from flux.master.http.front import Front
from flux.master.http.mounts import ApiRequest, ApiResponse, Handler, Mount, Mounts
from flux.master.metrics import Metrics
from tests.unit.master.gateway.specs import function, manifest

JSON = [("content-type", "application/json")]
LIVE = manifest(
    function("echo", "POST /echo", "PUT /echo"),
    function("hello", "GET /hello"),
    function("user", "GET /users/:id"),
    function("closed", "POST /closed", auth="api_key"),
)


# For what must happen at once; a test that waits longer hangs.
PATIENCE_S = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until this holds; for what sends no event."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0)


def shown(call: GatewayCall) -> dict[str, Any]:
    """A call as JSON."""
    return {
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "params": call.params,
        "headers": call.headers,
        "body": None if call.body is None else call.body.decode("latin-1"),
        "url": call.url,
    }


async def echo(call: GatewayCall) -> Result:
    return Result(200, JSON, json.dumps(shown(call)).encode())


async def no_api(request: ApiRequest) -> ApiResponse:
    return ApiResponse()


class Served:
    """A running edge. `calls` are those that reached the dispatcher, `refused` those that did not."""

    def __init__(self, **overrides: Any) -> None:
        self.settings = load(Path("/no/such/project"), {"server.port": 0, **overrides}, {})
        self.calls: list[GatewayCall] = []
        self.refused: list[tuple[GatewayCall, FluxError]] = []
        self.metrics = Metrics()
        self.dispatch: Callable[[GatewayCall], Awaitable[Result]] = echo
        self.exact: dict[str, Handler] = {}
        self.api = Mount(handler=no_api)
        self.keys: KeyTable = {}
        self.edge: Edge
        self.port = 0

    async def __aenter__(self) -> Served:
        loop = asyncio.get_running_loop()
        front = Front(
            settings=self.settings,
            gateway=Gateway(self.settings, LIVE, self.keys, loop.time),
            dispatch=self._dispatch,
            refused=lambda call, error: self.refused.append((call, error)),
            mounts=Mounts(exact=self.exact, api=self.api),
            metrics=self.metrics,
        )
        self.edge = Edge(self.settings, front)
        _, self.port = await self.edge.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.edge.close()

    def _dispatch(self, call: GatewayCall) -> Awaitable[Result]:
        self.calls.append(call)
        return self.dispatch(call)

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))


class Answer:
    """One response. `closes`: it said that the connection ends."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.pairs = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines[1:])]
        self.headers = dict(self.pairs)
        self.body = body

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code; checks the error shape on the way."""
        error = self.json()["error"]
        assert set(error) <= {"code", "message", "request_id", "violations"}
        assert error["message"]
        assert error["request_id"] == self.headers["x-request-id"]
        return str(error["code"])


class Client:
    """A socket that speaks as much HTTP as the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next final response."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4]
                if not head.startswith(b"HTTP/1.1 1"):
                    break
            answer = Answer(head, b"")
            if not head_only and "content-length" in answer.headers:
                answer.body = await self.reader.readexactly(int(answer.headers["content-length"]))
            return answer

    async def ask(self, data: bytes) -> Answer:
        self.send(data)
        return await self.answer()

    async def closed(self) -> bytes:
        """What still comes until the server closes."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.reader.read()
        except ConnectionResetError:
            return b""


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the server runs on: its transports differ from asyncio's in details that matter here."""
    return {"uvloop": uvloop.new_event_loop}


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts an edge with these settings ("server.keepalive_s" etc. in `overrides`)."""
    async with AsyncExitStack() as stack:

        async def start(overrides: dict[str, Any] | None = None, **attributes: Any) -> Served:
            served = Served(**(overrides or {}))
            for name, value in attributes.items():
                setattr(served, name, value)
            return await stack.enter_async_context(served)

        yield start


def post(path: str, body: bytes = b"{}", headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()
