"""The journal of one execution: every host call in the order made, every answer in the order given.

Theory of operation. A `Journal` is fed by exactly one of two sources and does not know which: the worker that runs the
execution (live), or the entries which a dead worker left in shared memory (recovery). Each feeding method returns the
bytes of the entry that belongs into shared memory, and `Journal.absorb` feeds such bytes back. So what a trace shows
after a crash is, call for call, what it would have shown without one.

Spans are numbered: 1 is the gateway's (or the queue's), 2 the function's, then calls and local spans in the order made.
`settled` counts the answers in the order in which the function saw them: a replay needs nothing else to give every
answer at the same point (`flux.replay`). Times are whole microseconds since the execution's start.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from .naming import name

FUNCTION_SPAN = 2
FIRST_CALL = 3

Status = Literal["ok", "error", "open"]

_CALL = struct.Struct("<BIIQ")
_ANSWER = struct.Struct("<BIBQI")
_LOG = struct.Struct("<BQ")
_TAG_CALL, _TAG_ANSWER, _TAG_LOG, _TAG_SPAN = 1, 2, 3, 4


def quote(text: str) -> bytes:
    """`text` as a JSON string; lone surrogates, which JSON.stringify may have let through, are kept as U+FFFD."""
    return orjson.dumps(text.encode("utf-8", "replace").decode() if not text.isascii() else text)


@dataclass(slots=True)
class Span:
    """One host call, or one `ctx.trace.span`. `input`, `output` and `attributes` are JSON text."""

    id: int
    parent: int
    kind: str
    name: str
    op: str
    start_us: int
    input: bytes
    duration_us: int = 0
    status: Status = "open"
    output: bytes = b"null"
    attributes: bytes = b"{}"
    settled: int = 0

    def to_json(self) -> bytes:
        return (
            f'{{"id":{self.id},"parent":{self.parent},"seq":{self.id},"kind":"{self.kind}","name":'.encode()
            + quote(self.name)
            + f',"op":"{self.op}","start_us":{self.start_us},"duration_us":{self.duration_us},'.encode()
            + b'"status":"%b","input":%b,"output":%b,"attributes":%b,"settled":%d}'
            % (self.status.encode(), self.input, self.output, self.attributes, self.settled)
        )


@dataclass(slots=True)
class Journal:
    """See the module's text. `cap` is the size from which a recorded value is replaced by a note of its size.

    So is every value once all of them together exceed `budget`: a row must fit into the ring that carries it.
    """

    cap: int
    budget: int = 4 * 1024 * 1024
    spans: dict[int, Span] = field(default_factory=dict)
    logs: list[bytes] = field(default_factory=list)
    answers: int = 0

    def call(self, id: int, parent: int, op: str, args: bytes, parsed: Any, at_us: int) -> bytes:
        """A host call is about to be made; returns its entry."""
        kind, label = name(op, parsed) if isinstance(parsed, dict) else (op, op)
        args = self.capped(args)
        self.spans[id] = Span(id, parent or FUNCTION_SPAN, kind, label, op, at_us, args)
        return _CALL.pack(_TAG_CALL, id, parent, at_us) + op.encode() + b"\n" + args

    def answer(self, id: int, ok: bool, result: bytes, at_us: int) -> bytes:
        """The host call has its answer, which the function is about to see; returns the entry."""
        self.answers += 1
        result = self.capped(result)
        self._settle(id, ok, result, at_us, self.answers)
        return _ANSWER.pack(_TAG_ANSWER, id, ok, at_us, self.answers) + result

    def open_span(self, id: int, parent: int, label: str, at_us: int) -> bytes:
        """The function opened a span of its own."""
        self.spans[id] = Span(id, parent or FUNCTION_SPAN, "span", label, "span", at_us, b"null")
        return _CALL.pack(_TAG_SPAN, id, parent, at_us) + label.encode("utf-8", "replace")

    def close_span(self, id: int, ok: bool, at_us: int) -> bytes:
        self._settle(id, ok, b"null", at_us, 0)
        return _ANSWER.pack(_TAG_ANSWER, id, ok, at_us, 0)

    def log(self, level: str, payload: bytes, at_us: int) -> bytes:
        """`payload` is a JSON object with at least "message"."""
        if len(payload) > min(self.cap, self.budget):
            payload = b'{"message":"[%d bytes]"}' % len(payload)
        self.budget -= len(payload)
        self.logs.append(b'{"t_us":%d,"level":%b,%b' % (at_us, quote(level), payload.lstrip(b"{")))
        return _LOG.pack(_TAG_LOG, at_us) + level.encode() + b"\n" + payload

    def absorb(self, entry: bytes) -> None:
        """Feed back an entry that one of the methods above returned."""
        tag = entry[0]
        if tag == _TAG_CALL:
            _, id, parent, at_us = _CALL.unpack_from(entry)
            op, _, args = entry[_CALL.size :].partition(b"\n")
            self.call(id, parent, op.decode(), args, orjson.loads(args), at_us)
        elif tag == _TAG_ANSWER:
            _, id, ok, at_us, settled = _ANSWER.unpack_from(entry)
            self._settle(id, bool(ok), entry[_ANSWER.size :] or b"null", at_us, settled)
            self.answers = max(self.answers, settled)
        elif tag == _TAG_SPAN:
            _, id, parent, at_us = _CALL.unpack_from(entry)
            self.open_span(id, parent, entry[_CALL.size :].decode(), at_us)
        else:
            _, at_us = _LOG.unpack_from(entry)
            level, _, payload = entry[_LOG.size :].partition(b"\n")
            self.log(level.decode(), payload, at_us)

    def capped(self, value: bytes) -> bytes:
        if len(value) > min(self.cap, self.budget):
            value = b'{"$truncated":%d}' % len(value)
        self.budget -= len(value)
        return value

    def clean(self, replace: Callable[[bytes], bytes]) -> None:
        """Applies `replace` to every value recorded so far."""
        for span in self.spans.values():
            span.input, span.output = replace(span.input), replace(span.output)
        self.logs = [replace(entry) for entry in self.logs]

    def spans_json(self, roots: bytes) -> bytes:
        """All spans as a JSON array, `roots` (the gateway's and the function's, JSON text) first."""
        return b"[" + b",".join((roots, *(span.to_json() for span in self.spans.values()))) + b"]"

    def logs_json(self) -> bytes | None:
        return b"[" + b",".join(self.logs) + b"]" if self.logs else None

    def _settle(self, id: int, ok: bool, result: bytes, at_us: int, settled: int) -> None:
        span = self.spans.get(id)
        if span is None:  # its call was written before the ring's oldest entry; the answer alone explains nothing
            return
        span.duration_us = max(0, at_us - span.start_us)
        span.status = "ok" if ok else "error"
        span.output = result
        span.settled = settled
