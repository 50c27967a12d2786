"""What a request asks for: a mount point of the master, or a function behind the gateway.

The only place that knows both exchanges and gateway decisions. A request for a function takes `opened` -> `complete` ->
dispatch -> `_answered`; one that is answered with an error before dispatch is reported to `refused`, to be recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from functools import partial
from urllib.parse import parse_qsl

from flux.config import Settings
from flux.errors import Draining, FluxError, OutputInvalid, Overloaded, RequestError
from flux.master.gateway.body import check_body
from flux.master.gateway.pipeline import BODY_REFUSED, UNREADABLE, Decision, Gateway
from flux.master.gateway.request import Request
from flux.master.gateway.request_id import text_of
from flux.master.gateway.size import check_size
from flux.master.http.call import Dispatch, GatewayCall, Refused, Result
from flux.master.http.exchange import Exchange
from flux.master.http.head import Head
from flux.master.http.headers import decoded, rendered
from flux.master.http.mounts import ApiRequest, ApiResponse, Mount, Mounts
from flux.master.http.response import JSON_TYPE, Date, error_body, render
from flux.master.metrics import Metrics

log = logging.getLogger("flux.http")

# A query of the longest allowed head could hold tens of thousands of fields, each an object here.
MAX_QUERY_FIELDS = 1000


class Front:
    """Implements `connection.Front`."""

    def __init__(
        self,
        *,
        settings: Settings,
        gateway: Gateway,
        dispatch: Dispatch,
        refused: Refused,
        mounts: Mounts,
        metrics: Metrics,
    ) -> None:
        self._gateway = gateway
        self._dispatch = dispatch
        self._report = refused
        self._mounts = mounts
        self._metrics = metrics
        self._body_bytes = settings.limits.body_bytes
        self._json_depth = settings.limits.json_depth
        self._date = Date()
        self._loop = asyncio.get_running_loop()
        # The loop holds tasks weakly. Streams are those among them that only end when they are told to.
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()

    # -- what connections tell

    def opened(self, exchange: Exchange) -> bool:
        head = exchange.head
        assert head is not None
        path = head.target.partition("?")[0]
        request = Request(head.method, path, head.headers, exchange.remote, exchange.trusted, head.length)
        mount = self._mounts.find(path)
        if mount is not None:
            return self._open_mount(exchange, mount, request)
        decision = exchange.state = self._gateway.decide(request)
        if decision.error is not None:
            self._refuse(exchange, decision, decision.error)
            return False
        if decision.answered:
            self._respond(exchange, 204, rendered(decision.headers), b"", text_of(decision.request_id))
            return False
        return True

    def complete(self, exchange: Exchange) -> None:
        decision = exchange.state
        head = exchange.head
        assert head is not None
        if type(decision) is not Decision:
            self._start(exchange, self._serve_mount(exchange, *decision))
            return
        try:
            if exchange.body is not None:
                check_body(head.headers, exchange.body, self._json_depth)
            call = self._call(exchange, head, decision)
        except FluxError as error:
            decision.record = BODY_REFUSED
            self._refuse(exchange, decision, error)
            return
        try:
            future = asyncio.ensure_future(self._dispatch(call), loop=self._loop)
        except FluxError as error:
            self._failed(exchange, decision, error)
        except Exception as error:
            self._crashed(exchange, decision, error)
        else:
            future.add_done_callback(partial(self._answered, exchange, decision))

    def refuse(self, exchange: Exchange, error: FluxError) -> None:
        decision = exchange.state
        if type(decision) is Decision:
            decision.record = BODY_REFUSED
            self._refuse(exchange, decision, error)
        elif decision is not None:
            self._respond_error(exchange, error, decision[2])
        else:
            decision = Decision(self._gateway.new_id())
            decision.record = UNREADABLE
            self._refuse(exchange, decision, error)

    def overfull(self) -> bytes:
        error = Overloaded("This server has as many connections as it allows (server.max_connections).")
        identity = text_of(self._gateway.new_id())
        self._metrics.refused.add(error.code)
        return render(
            error.status,
            JSON_TYPE + rendered(error.headers.items()),
            error_body(error, identity),
            date=self._date.at(int(time.time())),
            request_id=identity,
            keep_alive=False,
            http10=False,
            head_only=False,
        )

    def drain(self) -> None:
        for task in self._streams:
            task.cancel()

    # -- functions

    def _call(self, exchange: Exchange, head: Head, decision: Decision) -> GatewayCall:
        path, mark, query = head.target.partition("?")
        target = decision.target
        return GatewayCall(
            decision.request_id,
            head.method,
            head.target,
            path,
            "" if target is None else target.route,
            None if target is None else target.spec,
            decision.params,
            _query(query) if mark else {},
            decoded(head.raw_headers),
            exchange.body,
            decision.tenant,
            decision.key,
            exchange.remote,
            decision.traceparent,
            decision.record,
            exchange.started_us,
            int((time.perf_counter() - exchange.started) * 1e6),
        )

    def _answered(self, exchange: Exchange, decision: Decision, future: asyncio.Future[Result]) -> None:
        """The dispatcher is done."""
        try:
            status, headers, body = future.result()
            lines = rendered(headers)
            if decision.headers:
                lines += rendered(decision.headers)
            if not 200 <= status <= 599:
                raise OutputInvalid(f"The function answered with status {status}; it must be 200 to 599.")
        except FluxError as error:
            self._failed(exchange, decision, error)
        except asyncio.CancelledError:
            self._failed(exchange, decision, Draining())
        except Exception as error:
            self._crashed(exchange, decision, error)
        else:
            self._count(exchange, decision, status)
            self._respond(exchange, status, lines, body, text_of(decision.request_id))

    def _failed(self, exchange: Exchange, decision: Decision, error: FluxError) -> None:
        self._count(exchange, decision, error.status)
        self._respond_error(exchange, error, text_of(decision.request_id), decision.headers)

    def _crashed(self, exchange: Exchange, decision: Decision, error: Exception) -> None:
        log.error("request %s failed inside Flux", text_of(decision.request_id), exc_info=error)
        self._failed(exchange, decision, FluxError())

    def _count(self, exchange: Exchange, decision: Decision, status: int) -> None:
        spec = decision.spec
        if spec is not None:
            self._metrics.requests.add(spec.name, status)
            self._metrics.duration.observe(spec.name, time.perf_counter() - exchange.started)

    def _refuse(self, exchange: Exchange, decision: Decision, error: FluxError) -> None:
        self._metrics.refused.add(error.code)
        self._respond_error(exchange, error, text_of(decision.request_id), decision.headers)
        self._report(self._refused_call(exchange, decision), error)

    def _refused_call(self, exchange: Exchange, decision: Decision) -> GatewayCall:
        try:
            return self._call(exchange, exchange.head or _UNREADABLE_HEAD, decision)
        except RequestError:
            # The query itself was what was refused.
            head = exchange.head or _UNREADABLE_HEAD
            return self._call(exchange, head._replace(target=head.target.partition("?")[0]), decision)

    # -- mount points

    def _open_mount(self, exchange: Exchange, mount: Mount, request: Request) -> bool:
        identity = text_of(self._gateway.identify(request))
        exchange.state = (mount, request, identity)
        try:
            if mount.guard is not None:
                mount.guard(request.headers)
            check_size(request.content_length, self._body_bytes)
        except FluxError as error:
            self._respond_error(exchange, error, identity)
            return False
        return True

    async def _serve_mount(self, exchange: Exchange, mount: Mount, request: Request, identity: str) -> None:
        assert exchange.head is not None
        query = dict(parse_qsl(exchange.head.target.partition("?")[2], keep_blank_values=True))
        try:
            response = await mount.handler(
                ApiRequest(
                    request_id=identity,
                    method=request.method,
                    path=request.path,
                    query=query,
                    headers=request.headers,
                    body=exchange.body,
                )
            )
        except FluxError as error:
            self._respond_error(exchange, error, identity)
        except Exception as error:
            log.error("request %s to %s failed", identity, request.path, exc_info=error)
            self._respond_error(exchange, FluxError(), identity)
        else:
            await self._send(exchange, response, identity)

    async def _send(self, exchange: Exchange, response: ApiResponse, identity: str) -> None:
        kind = () if response.content_type is None else (("content-type", response.content_type),)
        lines = rendered((*kind, *response.headers))
        if response.stream is None or exchange.head_only:
            self._respond(exchange, response.status, lines, response.body, identity)
            return
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        exchange.on_lost = task.cancel  # type: ignore[assignment]  # that cancel returns something does no harm
        try:
            if exchange.http10:
                exchange.keep_alive = False
            exchange.begin(self._rendered(exchange, response.status, lines, None, identity))
            async for part in response.stream:
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
            await response.stream.aclose()

    def _start(self, exchange: Exchange, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- responses

    def _rendered(self, exchange: Exchange, status: int, lines: bytes, body: bytes | None, identity: str) -> bytes:
        return render(
            status,
            lines,
            body,
            date=self._date.at(int(time.time())),
            request_id=identity,
            keep_alive=exchange.keep_alive,
            http10=exchange.http10,
            head_only=exchange.head_only,
        )

    def _respond(self, exchange: Exchange, status: int, lines: bytes, body: bytes, identity: str) -> None:
        if not exchange.lost:
            exchange.finish(self._rendered(exchange, status, lines, body, identity))

    def _respond_error(
        self, exchange: Exchange, error: FluxError, identity: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        lines = JSON_TYPE + rendered(error.headers.items()) + rendered(headers)
        self._respond(exchange, error.status, lines, error_body(error, identity), identity)


_UNREADABLE_HEAD = Head("", "", {}, (), 0, False, False, False)


def _query(text: str) -> dict[str, str | list[str]]:
    """The fields of a query. Raises RequestError for more of them than anyone needs."""
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise RequestError(f"The query has more than {MAX_QUERY_FIELDS} fields.") from None
    found: dict[str, str | list[str]] = {}
    for name, value in fields:
        known = found.get(name)
        if known is None:
            found[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            found[name] = [known, value]
    return found
