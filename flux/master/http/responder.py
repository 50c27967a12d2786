"""Answers exchanges: a body or an error, in one write."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flux.errors import FluxError
from flux.master.http.exchange import Exchange
from flux.master.http.headers import rendered
from flux.master.http.response import JSON_TYPE, Date, error_body, render


class Responder:
    """`identity` is the text of the request's ID; `lines` are finished header lines."""

    __slots__ = ("_date",)

    def __init__(self) -> None:
        self._date = Date()

    def respond(self, exchange: Exchange, status: int, lines: bytes, body: bytes, identity: str) -> None:
        """The whole response; without effect when the caller is gone."""
        if not exchange.lost:
            exchange.finish(self._rendered(exchange, status, lines, body, identity))

    def respond_error(
        self, exchange: Exchange, error: FluxError, identity: str, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        lines = JSON_TYPE + rendered(error.headers.items()) + rendered(headers)
        self.respond(exchange, error.status, lines, error_body(error, identity), identity)

    def begin(self, exchange: Exchange, status: int, lines: bytes, identity: str) -> None:
        """The start of a stream."""
        exchange.begin(self._rendered(exchange, status, lines, None, identity))

    def unasked(self, error: FluxError, identity: str) -> bytes:
        """An error for a connection that has not asked anything; it ends with it."""
        lines = JSON_TYPE + rendered(error.headers.items())
        return render(
            error.status,
            lines,
            error_body(error, identity),
            date=self._date.at(int(time.time())),
            request_id=identity,
            keep_alive=False,
            http10=False,
            head_only=False,
        )

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
