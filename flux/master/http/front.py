"""What a request asks for: a mount point of the master, or a function behind the gateway.

The only place that knows both exchanges and gateway decisions. A request for a function takes `opened` -> `complete` ->
dispatch -> `_answered`; one that is answered with an error before dispatch is reported to `refused`, to be recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from urllib.parse import parse_qsl

from flux.config import Settings
from flux.errors import Draining, FluxError, OutputInvalid, Overloaded, RequestError
from flux.master.gateway.body import check_body
from flux.master.gateway.pipeline import BODY_REFUSED, UNREADABLE, Decision, Gateway
from flux.master.gateway.request import Request
from flux.master.gateway.request_id import text_of
from flux.master.http.call import Dispatch, GatewayCall, Refused, Result
from flux.master.http.exchange import Exchange
from flux.master.http.head import Head
from flux.master.http.headers import decoded, rendered
from flux.master.http.mounts import Mounts
from flux.master.http.responder import Responder
from flux.master.http.serving import Mounted, MountServer
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
        self._json_depth = settings.limits.json_depth
        self._responder = Responder()
        self._mount_server = MountServer(self._responder, settings.limits.body_bytes)
        self._loop = asyncio.get_running_loop()

    # -- what connections tell

    def opened(self, exchange: Exchange) -> bool:
        head = exchange.head
        assert head is not None
        path = head.target.partition("?")[0]
        request = Request(head.method, path, head.headers, exchange.remote, exchange.trusted, head.length)
        mount = self._mounts.find(path)
        if mount is not None:
            return self._mount_server.opened(
                exchange, Mounted(mount, request, text_of(self._gateway.identify(request)))
            )
        decision = exchange.state = self._gateway.decide(request)
        if decision.error is not None:
            self._refuse(exchange, decision, decision.error)
            return False
        if decision.answered:
            self._responder.respond(exchange, 204, rendered(decision.headers), b"", text_of(decision.request_id))
            return False
        return True

    def complete(self, exchange: Exchange) -> None:
        decision = exchange.state
        head = exchange.head
        assert head is not None
        if type(decision) is not Decision:
            self._mount_server.complete(exchange, decision)
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
            self._responder.respond_error(exchange, error, decision.identity)
        else:
            decision = Decision(self._gateway.new_id())
            decision.record = UNREADABLE
            self._refuse(exchange, decision, error)

    def overfull(self) -> bytes:
        error = Overloaded("This server has as many connections as it allows (server.max_connections).")
        self._metrics.refused.add(error.code)
        return self._responder.unasked(error, text_of(self._gateway.new_id()))

    def drain(self) -> None:
        self._mount_server.drain()

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
            self._responder.respond(exchange, status, lines, body, text_of(decision.request_id))

    def _failed(self, exchange: Exchange, decision: Decision, error: FluxError) -> None:
        self._count(exchange, decision, error.status)
        self._responder.respond_error(exchange, error, text_of(decision.request_id), decision.headers)

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
        self._responder.respond_error(exchange, error, text_of(decision.request_id), decision.headers)
        try:
            self._report(self._refused_call(exchange, decision), error)
        except Exception as defect:
            # The caller has its answer; that it was not recorded must not cost the connection.
            log.error("request %s was not recorded", text_of(decision.request_id), exc_info=defect)

    def _refused_call(self, exchange: Exchange, decision: Decision) -> GatewayCall:
        try:
            return self._call(exchange, exchange.head or _UNREADABLE_HEAD, decision)
        except RequestError:
            # The query itself was what was refused.
            head = exchange.head or _UNREADABLE_HEAD
            return self._call(exchange, head._replace(target=head.target.partition("?")[0]), decision)


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
