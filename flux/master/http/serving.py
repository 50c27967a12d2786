"""Serves the mount points: runs their handlers as tasks, sends what they answer, also as a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import NamedTuple
from urllib.parse import parse_qsl

from flux.errors import FluxError, OutputInvalid
from flux.master.gateway.request import Request
from flux.master.gateway.size import check_size
from flux.master.http.exchange import Exchange
from flux.master.http.headers import rendered
from flux.master.http.mounts import ApiRequest, ApiResponse, Mount
from flux.master.http.responder import Responder

log = logging.getLogger("flux.http")


class Mounted(NamedTuple):
    """A request to a mount point, while its body is read: kept as the exchange's state."""

    mount: Mount
    request: Request
    identity: str


class MountServer:
    """Used by the front; `body_bytes` limits bodies here as anywhere."""

    def __init__(self, responder: Responder, body_bytes: int) -> None:
        self._responder = responder
        self._body_bytes = body_bytes
        # The loop holds tasks weakly. Streams are those among them that only end when they are told to.
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()

    def opened(self, exchange: Exchange, mounted: Mounted) -> bool:
        """See `connection.Front.opened`."""
        exchange.state = mounted
        try:
            if mounted.mount.guard is not None:
                mounted.mount.guard(mounted.request.headers)
            check_size(mounted.request.content_length, self._body_bytes)
        except FluxError as error:
            self._responder.respond_error(exchange, error, mounted.identity)
            return False
        return True

    def complete(self, exchange: Exchange, mounted: Mounted) -> None:
        """See `connection.Front.complete`."""
        task = asyncio.get_running_loop().create_task(self._serve(exchange, mounted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drain(self) -> None:
        """Ends the streams."""
        for task in self._streams:
            task.cancel()

    async def _serve(self, exchange: Exchange, mounted: Mounted) -> None:
        try:
            response = await mounted.mount.handler(_api_request(exchange, mounted))
            if not 200 <= response.status <= 599:
                raise OutputInvalid(f"The answer has status {response.status}; it must be 200 to 599.")
            kind = () if response.content_type is None else (("content-type", response.content_type),)
            lines = rendered((*kind, *response.headers))
        except FluxError as error:
            self._responder.respond_error(exchange, error, mounted.identity)
        except Exception as error:
            log.error("request %s to %s failed", mounted.identity, mounted.request.path, exc_info=error)
            self._responder.respond_error(exchange, FluxError(), mounted.identity)
        else:
            if response.stream is None or exchange.head_only:
                self._responder.respond(exchange, response.status, lines, response.body, mounted.identity)
            else:
                await self._stream(exchange, response, response.stream, lines, mounted.identity)

    async def _stream(
        self, exchange: Exchange, response: ApiResponse, stream: AsyncGenerator[bytes], lines: bytes, identity: str
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        exchange.on_lost = task.cancel
        try:
            if exchange.http10:
                exchange.keep_alive = False
            self._responder.begin(exchange, response.status, lines, identity)
            async for part in stream:
                await exchange.write(part)
            exchange.end()
        except asyncio.CancelledError:
            # The caller left, or the server drains: the stream ends here, whole as far as it goes.
            exchange.keep_alive = False
            exchange.end()
        except ConnectionError:
            return
        except Exception as error:
            log.error("stream of request %s broke", identity, exc_info=error)
            exchange.abort()
        finally:
            self._streams.discard(task)
            await stream.aclose()


def _api_request(exchange: Exchange, mounted: Mounted) -> ApiRequest:
    assert exchange.head is not None
    request = mounted.request
    return ApiRequest(
        request_id=mounted.identity,
        method=request.method,
        path=request.path,
        query=dict(parse_qsl(exchange.head.target.partition("?")[2], keep_blank_values=True)),
        headers=request.headers,
        body=exchange.body,
    )
