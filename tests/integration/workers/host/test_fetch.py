"""Real sockets: what is sent, what comes back, what is refused, what is cut off."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from flux import config
from flux.failure import HostError
from flux.workers.host import outbound
from flux.workers.host.address import refusal
from flux.workers.host.outbound import Outbound
from flux.workers.host.scope import Services
from tests.integration.workers.host.conftest import Call, caller, new_scope, spec

PNG = bytes(range(256))


@dataclass
class Site:
    """A server on loopback; `seen` are the requests that reached it."""

    port: int = 0
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    redirect_to: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.raw_path, headers, body))
        handler = getattr(self, "on_" + request.path.strip("/").split("/")[0], None)
        if handler is not None:
            response: web.StreamResponse = await handler(request)
            return response
        return web.json_response({"ok": True})

    async def on_redirect(self, request: web.BaseRequest) -> web.Response:
        return web.Response(status=int(request.query.get("status", 302)), headers={"Location": self.redirect_to})

    async def on_status(self, request: web.BaseRequest) -> web.Response:
        return web.Response(status=int(request.query["status"]), reason="Because")

    async def on_cookies(self, request: web.BaseRequest) -> web.Response:
        response = web.Response(text="x")
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2; Path=/")
        return response

    async def on_binary(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=PNG, content_type="image/png")

    async def on_gzip(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=gzip.compress(b"zipped" * 100), headers={"Content-Encoding": "gzip"})

    async def on_bomb(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"})

    async def on_huge(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 10**10
        await response.prepare(request)
        return response

    async def on_endless(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async def on_silent(self, request: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def on_slow(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begin")
        await asyncio.Event().wait()
        raise AssertionError


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners = []

    async def start(host: str = "127.0.0.1", port: int = 0) -> Site:
        site = Site()
        runner = web.ServerRunner(web.Server(site.answer), shutdown_timeout=0.1)
        await runner.setup()
        listener = web.TCPSite(runner, host, port)
        await listener.start()
        runners.append(runner)
        site.port = runner.addresses[0][1]
        return site

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def site(serve: Serve) -> Site:
    return await serve()


def allow(services: Services, *hosts: str, **more: Any) -> None:
    overrides = {"outbound.allow_hosts": hosts, **{f"outbound.{name}": value for name, value in more.items()}}
    services.settings = config.load(Path(services.settings.project), overrides, env={})


@pytest.fixture
def fetch(offline: Services, site: Site) -> Call:
    """A function that may reach `site`, and nothing else on this machine."""
    allow(offline, f"127.0.0.1:{site.port}")
    call = caller(new_scope(offline))

    async def fetch(url: str, **args: Any) -> Any:
        return await call("fetch", url=url, **args)

    return fetch


async def code_of(awaitable: Any) -> tuple[str, int]:
    with pytest.raises(HostError) as caught:
        await awaitable
    return caught.value.code, caught.value.status


async def test_a_call(fetch: Call, site: Site) -> None:
    answer = await fetch(
        f"{site.url}/a%2Fb?q=%20x+y",
        method="post",
        headers=[["X-Own", "1"], ["Content-Type", "text/plain"], ["Host", "evil.example"], ["Connection", "upgrade"]],
        body="héllo",
    )
    assert (answer["status"], answer["status_text"], answer["redirected"]) == (200, "OK", False)
    assert answer["url"] == f"{site.url}/a%2Fb?q=%20x+y"
    assert answer["body"] == '{"ok": true}'
    assert ["content-type", "application/json; charset=utf-8"] in answer["headers"]
    method, path, headers, body = site.seen[0]
    assert (method, path, body) == ("POST", "/a%2Fb?q=%20x+y", "héllo".encode())
    assert (headers["x-own"], headers["content-type"]) == ("1", "text/plain")
    assert headers["host"] == f"127.0.0.1:{site.port}"
    assert headers["user-agent"].startswith("flux/")
    assert "traceparent" not in headers
    assert "upgrade" not in headers.get("connection", "")


async def test_bodies(fetch: Call, site: Site) -> None:
    await fetch(site.url, method="PUT", body_base64=base64.b64encode(PNG).decode())
    assert site.seen[0][3] == PNG
    assert "content-type" not in site.seen[0][2]
    assert base64.b64decode((await fetch(f"{site.url}/binary"))["body_base64"]) == PNG
    answer = await fetch(f"{site.url}/gzip")
    assert answer["body"] == "zipped" * 100
    assert not {"content-encoding", "content-length"} & {name for name, _ in answer["headers"]}
    assert (await fetch(f"{site.url}/status?status=204"))["body"] is None
    assert (await fetch(site.url, method="HEAD"))["body"] is None
    answer = await fetch(f"{site.url}/status?status=418")
    assert (answer["status"], answer["status_text"], answer["body"]) == (418, "Because", "")


async def test_cookies_are_not_kept(fetch: Call, site: Site) -> None:
    answer = await fetch(f"{site.url}/cookies")
    assert [value for name, value in answer["headers"] if name == "set-cookie"] == ["a=1", "b=2; Path=/"]
    await fetch(site.url)
    assert "cookie" not in site.seen[1][2]


async def test_traceparent(offline: Services, site: Site) -> None:
    allow(offline, f"127.0.0.1:{site.port}")
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    call = caller(new_scope(offline, traceparent=parent))
    await call("fetch", url=site.url)
    await call("fetch", url=site.url, headers=[["Traceparent", "own"]])
    assert [headers["traceparent"] for _, _, headers, _ in site.seen] == [parent, "own"]


async def test_proxies_of_the_environment_are_not_used(fetch: Call, site: Site, monkeypatch: Any) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await fetch(site.url))["status"] == 200


@pytest.mark.parametrize(
    "args",
    [
        {"url": "file:///etc/passwd"},
        {"url": "ftp://example.com/"},
        {"url": "//example.com"},
        {"url": "/relative"},
        {"url": "http://"},
        {"url": "http://user:password@example.com/"},
        {"url": "http://example.com/a b"},
        {"url": "http://example.com/\r\nX: y"},
        {"url": "http://example.com:99999/"},
        {"url": "http://[::1"},
        {"url": ""},
        {"url": 5},
        {"url": "http://example.com/", "method": "CONNECT"},
        {"url": "http://example.com/", "method": "trace"},
        {"url": "http://example.com/", "method": "GE T"},
        {"url": "http://example.com/", "method": "GET", "body": "x"},
        {"url": "http://example.com/", "headers": {"a": "b"}},
        {"url": "http://example.com/", "headers": [["a b", "c"]]},
        {"url": "http://example.com/", "headers": [["a", "b\r\nc: d"]]},
        {"url": "http://example.com/", "headers": [["a", 5]]},
        {"url": "http://example.com/", "headers": [["a", "b"]] * 201},
        {"url": "http://example.com/", "method": "POST", "body": {"a": 1}},
        {"url": "http://example.com/", "method": "POST", "body_base64": "***"},
        {"url": "http://example.com/", "redirect": "perhaps"},
    ],
)
async def test_malformed(offline: Services, args: Any) -> None:
    code, status = await code_of(caller(new_scope(offline))("fetch", **args))
    assert code in ("INVALID_URL", "INVALID_ARGUMENT")
    assert status == 400


# The client knows the old spellings of IPv4 addresses (hexadecimal, octal, short) and takes none of them for a URL.
REFUSED = (("OUTBOUND_REFUSED", 403), ("INVALID_URL", 400))
PRIVATE = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://[fe80::1]/",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_private_addresses_are_refused(offline: Services, site: Site, url: str) -> None:
    assert await code_of(caller(new_scope(offline))("fetch", url=url.format(port=site.port))) in REFUSED
    assert site.seen == []


@pytest.mark.parametrize("url", PRIVATE)
@pytest.mark.parametrize("status", [301, 307])
async def test_redirects_to_private_addresses_are_refused(
    fetch: Call, site: Site, serve: Serve, url: str, status: int
) -> None:
    inner = await serve()
    site.redirect_to = url.format(port=inner.port)
    assert await code_of(fetch(f"{site.url}/redirect?status={status}")) in REFUSED
    assert inner.seen == []


async def test_a_function_may_be_allowed_a_host(offline: Services, site: Site) -> None:
    """And its connection, which is kept alive, serves no function that may not."""
    allowed = new_scope(offline)
    allowed.spec = spec("caller", allow_http=(f"localhost:{site.port}",))
    url = f"http://localhost:{site.port}/"
    assert (await caller(allowed)("fetch", url=url))["status"] == 200
    assert await code_of(caller(new_scope(offline))("fetch", url=url)) == ("OUTBOUND_REFUSED", 403)
    assert await code_of(caller(allowed)("fetch", url=site.url)) == ("OUTBOUND_REFUSED", 403)
    assert len(site.seen) == 1


class Turning(AbstractResolver):
    """A name that belongs to one address when it is first asked for, and to another from then on."""

    answers: list[list[str]] = []  # noqa: RUF012  # replaced by each test

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


async def test_rebinding(offline: Services, serve: Serve, monkeypatch: Any) -> None:
    """127.0.0.2 stands for a public address: the only stand-in is the policy's word on it; the sockets are real."""
    public = await serve("127.0.0.2")
    secret = await serve("127.0.0.1", public.port)
    monkeypatch.setattr(outbound, "refusal", lambda found: None if str(found) == "127.0.0.2" else refusal(found))
    monkeypatch.setattr(Turning, "answers", [["127.0.0.2"], ["127.0.0.1"]])
    offline._outbound = Outbound(Turning)
    call = caller(new_scope(offline))
    url = f"http://rebind.example:{public.port}/"
    assert (await call("fetch", url=url))["status"] == 200
    assert (await call("fetch", url=url))["status"] == 200  # the same connection: to the address that was checked
    await offline.outbound.close()
    assert await code_of(call("fetch", url=url)) == ("OUTBOUND_REFUSED", 403)
    assert (len(public.seen), len(secret.seen)) == (2, 0)


async def test_of_several_addresses_only_the_public_are_used(monkeypatch: Any) -> None:
    monkeypatch.setattr(Turning, "answers", [["10.0.0.1", "8.8.8.8", "127.0.0.1", "1.1.1.1"]])
    found = await outbound.PublicResolver(Turning()).resolve("mixed.example", 80)
    assert [entry["host"] for entry in found] == ["8.8.8.8", "1.1.1.1"]


async def test_redirects(fetch: Call, site: Site, offline: Services, serve: Serve) -> None:
    other = await serve()
    allow(offline, f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
    site.redirect_to = f"{other.url}/there?x=1#part"
    answer = await fetch(
        f"{site.url}/redirect",
        method="POST",
        body="b",
        headers=[["Authorization", "Bearer x"], ["Cookie", "c=1"], ["Content-Type", "text/plain"], ["X-Own", "1"]],
    )
    assert (answer["url"], answer["redirected"], answer["status"]) == (f"{other.url}/there?x=1", True, 200)
    method, _, headers, body = other.seen[0]
    assert (method, body, headers["x-own"]) == ("GET", b"", "1")
    assert not {"authorization", "cookie", "content-type"} & set(headers)


async def test_redirect_modes(fetch: Call, site: Site) -> None:
    site.redirect_to = "/elsewhere"
    answer = await fetch(f"{site.url}/redirect", redirect="manual")
    assert (answer["status"], answer["redirected"]) == (302, False)
    assert ["location", "/elsewhere"] in answer["headers"]
    assert await code_of(fetch(f"{site.url}/redirect", redirect="error")) == ("OUTBOUND_FAILED", 502)
    assert (await fetch(f"{site.url}/redirect"))["url"] == f"{site.url}/elsewhere"


async def test_endless_redirects(fetch: Call, site: Site) -> None:
    site.redirect_to = "/redirect"
    assert await code_of(fetch(f"{site.url}/redirect")) == ("OUTBOUND_FAILED", 502)
    assert len(site.seen) == 6


@pytest.mark.parametrize("path", ["huge", "endless", "bomb"])
async def test_responses_that_are_too_large(fetch: Call, site: Site, path: str) -> None:
    assert await code_of(fetch(f"{site.url}/{path}")) == ("OUTBOUND_TOO_LARGE", 502)


@pytest.mark.parametrize("path", ["silent", "slow"])
async def test_responses_that_do_not_come(fetch: Call, site: Site, offline: Services, path: str) -> None:
    allow(offline, f"127.0.0.1:{site.port}", timeout_ms=100)
    assert await code_of(fetch(f"{site.url}/{path}")) == ("OUTBOUND_TIMEOUT", 504)


async def test_a_cancelled_call_closes_its_connection(fetch: Call, site: Site, offline: Services) -> None:
    task = asyncio.create_task(fetch(f"{site.url}/silent"))
    while not site.seen:  # the server's side of the socket has no event for us
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    connector = offline.outbound.client(trusted=True).connector
    assert isinstance(connector, aiohttp.TCPConnector)
    assert not connector._acquired


async def raw_server(reply: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"not http\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: javascript:1\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_broken_servers(offline: Services, reply: bytes) -> None:
    async with await raw_server(reply) as server:
        port = server.sockets[0].getsockname()[1]
        allow(offline, f"127.0.0.1:{port}")
        code = await code_of(caller(new_scope(offline))("fetch", url=f"http://127.0.0.1:{port}/"))
    assert code == ("OUTBOUND_FAILED", 502)


async def test_nobody_listens(offline: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        allow(offline, f"127.0.0.1:{port}")
        call = caller(new_scope(offline))
        assert await code_of(call("fetch", url=f"http://127.0.0.1:{port}/")) == ("OUTBOUND_FAILED", 502)
        assert await code_of(call("fetch", url=f"https://127.0.0.1:{port}/")) == ("OUTBOUND_FAILED", 502)


async def test_no_such_name(offline: Services, monkeypatch: Any) -> None:
    class Unknown(Turning):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    offline._outbound = Outbound(Unknown)
    call = caller(new_scope(offline))
    assert await code_of(call("fetch", url="http://nowhere.example/")) == ("OUTBOUND_FAILED", 502)


async def test_a_message_does_not_hold_the_query(fetch: Call, site: Site, offline: Services) -> None:
    offline.settings = replace(offline.settings)
    with pytest.raises(HostError) as caught:
        await fetch(f"{site.url}/huge?token=secret")
    assert "secret" not in caught.value.message
