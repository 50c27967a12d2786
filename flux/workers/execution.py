"""One execution in a worker: what the isolate says goes into the journal and to the host, and back.

An execution is `running` until its handler settles, then `settling` until the host calls that it did not await are
answered, then `ended`; a limit or a lost isolate ends it at once. Whatever the host (the world, or a record), calls
pass through here once, so recording is written once. The row is in shared memory before the caller gets the answer.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from ..errors import CallLimit, FluxError, MessageLimit
from ..record.execution import Ending, error_json, recorded_body, row, uuid_text
from ..record.head import Head
from ..record.javascript import dumps, loads
from ..record.journal import FIRST_CALL, Journal
from ..record.redaction import KEY_RESULTS, record_headers, record_keys
from ..record.seal import Seal
from .failure import Failure, from_flux_error

# Journal numbers 1 and 2 are the gateway's and the function's own spans; the isolate counts its calls from 1.
OFFSET = FIRST_CALL - 1
# The most that a trace can show and a person can read; an endless loop over the database ends here.
MOST_CALLS = 10_000
REDACTED = b"[redacted]"

Write = Callable[[bytes], None]


class Host(Protocol):
    """Answers the host calls of one execution; gives each answer to `Execution.settle`."""

    def call(self, id: int, op: str, args: bytes, parsed: Any) -> None: ...

    def cancel(self, id: int) -> None: ...

    @property
    def busy(self) -> bool:
        """True while calls are unanswered for which the end of the execution has to wait."""
        ...

    def when_settled(self, then: Callable[[], None]) -> None:
        """Calls `then` once, as soon as no longer busy."""
        ...

    @property
    def holds_nothing(self) -> bool:
        """True when `close` has nothing to do, which spares the common execution a task."""
        ...

    async def close(self) -> None:
        """Gives back everything held for the execution; idempotent."""
        ...


class Runtime(Protocol):
    """Runs functions: an isolate, or what stands for one. What it says of an execution comes as events."""

    def start(
        self, execution: int, *, started_us: int, seed: bytes, request: bytes, body: bytes | None, context: bytes
    ) -> None: ...

    def answer(self, execution: int, call: int, *, clock_us: int, ok: bool, payload: bytes) -> None: ...

    def abandon(self, execution: int) -> None: ...


class Execution:
    """`write` puts a journal entry into shared memory; `ended` is called once, with the answer for the caller."""

    __slots__ = (
        "_clock_us",
        "_ended",
        "_function_start_us",
        "_redactions",
        "_seal",
        "_write",
        "body",
        "head",
        "host",
        "isolate",
        "journal",
        "number",
        "over",
        "request_id",
        "wall_us",
    )

    def __init__(
        self,
        *,
        number: int,
        request_id: bytes,
        head: Head,
        body: bytes | None,
        cap: int,
        seal: Seal,
        write: Write | None,
        ended: Callable[[Execution, int, bytes, bytes, bytes | None], None],
    ) -> None:
        self.number = number
        self.request_id = request_id
        self.head = head
        self.journal = Journal(cap)
        self.isolate: Runtime | None = None
        self.host: Host | None = None
        self.over = False
        self.wall_us = 0
        self.body = recorded_body(body, cap) if write else None
        self._seal = seal
        self._write = write
        self._ended = ended
        self._redactions: list[bytes] = []
        self._function_start_us = 0
        self._clock_us = 0

    def now_us(self) -> int:
        """µs since the execution's start, on the clock that all processes share."""
        return time.monotonic_ns() // 1000 - self.head.monotonic_us

    def start(
        self,
        isolate: Runtime,
        host: Host,
        *,
        clock_us: int,
        wall_ms: int,
        body: bytes | None,
        request: bytes,
        context: bytes,
    ) -> None:
        """`clock_us` is what the function takes for the time of its start: now, or when the record was made."""
        self.isolate = isolate
        self.host = host
        self._clock_us = clock_us
        self.wall_us = wall_ms * 1000
        self._function_start_us = self.now_us()
        isolate.start(
            self.number,
            started_us=clock_us,
            seed=self.head.seed,
            request=request,
            body=body,
            context=context,
        )

    def out_of_time(self, now_us: int) -> bool:
        """Whether the function's time on the wall is over. `now_us` is CLOCK_MONOTONIC."""
        return self.wall_us > 0 and now_us - self.head.monotonic_us - self._function_start_us > self.wall_us

    def unrecorded(self) -> None:
        """There is no room for a record of this execution: nothing of it is written."""
        self._write = None

    # What the isolate says.

    def called(self, id: int, parent: int, op: str, args: bytes) -> None:
        assert self.host is not None
        if id > MOST_CALLS:
            self.fail_with(CallLimit(f"The function has made more than {MOST_CALLS} host calls."))
            return
        try:
            parsed = loads(args)
        except (ValueError, RecursionError):
            self.fail_with(MessageLimit(f"The arguments of {op} are nested too deep."))
            return
        if self._write:
            entry = self.journal.call(
                id + OFFSET, parent and parent + OFFSET, op, self._clean_call(op, args, parsed), parsed, self.now_us()
            )
            self._write(entry)
        self.host.call(id, op, args, parsed)

    def settle(self, id: int, ok: bool, result: bytes, *, at_us: int | None = None, secret: bool = False) -> None:
        """The host has the answer of call `id`. `at_us` is given on replay; `secret` results are not recorded."""
        if self.over or self.isolate is None:
            return
        at_us = self.now_us() if at_us is None else at_us
        if secret and ok:
            self.redact(result)
        if self._write:
            sealed = ok and self.journal.spans[id + OFFSET].op in KEY_RESULTS
            shown = self._seal.close(result) if sealed else self._clean(result)
            self._write(self.journal.answer(id + OFFSET, ok, shown, at_us))
        self.isolate.answer(self.number, id, clock_us=self._clock_us + at_us, ok=ok, payload=result)

    def span_opened(self, id: int, parent: int, label: str) -> None:
        if self._write:
            self._write(self.journal.open_span(id + OFFSET, parent and parent + OFFSET, label, self.now_us()))

    def span_closed(self, id: int, ok: bool) -> None:
        if self._write:
            self._write(self.journal.close_span(id + OFFSET, ok, self.now_us()))

    def logged(self, level: str, payload: bytes) -> None:
        if self._write:
            self._write(self.journal.log(level, self._clean(payload), self.now_us()))

    def redact(self, value: bytes) -> None:
        """From now on this value (JSON text) does not reach the record, wherever it turns up."""
        text = value[1:-1] if value.startswith(b'"') else value
        if len(text) >= 4 and text not in self._redactions:  # shorter ones would blot out unrelated text
            self._redactions.append(text)

    def done(self, kind: str, payload: bytes) -> None:
        """The handler has settled well; calls that it made and did not await are waited for."""
        if self.host is None or not self.host.busy:
            self._succeed(kind, payload)
        else:
            self.host.when_settled(lambda: self._succeed(kind, payload))

    def failed(self, failure: Failure) -> None:
        if self.host is None or not self.host.busy:
            self.fail(failure)
        else:
            self.host.when_settled(lambda: self.fail(failure))

    def fail(self, failure: Failure) -> None:
        """Ends the execution with an error, now."""
        body = dumps(failure.response(uuid_text(self.request_id)))
        headers = orjson.dumps(list(failure.headers.items())) if failure.headers else b""
        self.end(failure.status, headers, body, None, error_json(failure.code, failure.message, **failure.details))

    def fail_with(self, error: FluxError) -> None:
        self.fail(from_flux_error(error))

    def end(self, status: int, headers: bytes, body: bytes, output: bytes | None, error: bytes | None) -> None:
        """Encodes the row and hands it over with the answer; later events of this execution are ignored."""
        if self.over:
            return
        self.over = True
        if self.isolate is not None:
            self.isolate.abandon(self.number)
        output = self._clean(self.journal.capped(output)) if output else None
        error = self._clean(error) if error else None
        if self.head.kind == "replay":  # who asked for it compares records, not answers
            headers, body = b"", b"%b\n%b" % (output or b"null", error or b"null")
        self._ended(self, status, headers, body, self._row(status, output, error) if self._write else None)

    def _row(self, status: int, output: bytes | None, error: bytes | None) -> bytes:
        ending = Ending(
            status=status,
            error=error,
            output=output,
            function_start_us=self._function_start_us,
            end_us=self.now_us(),
        )
        head, body = self.head, self._clean(self.body) if self.body else None
        if self._redactions:  # what turned up before it was said to be secret
            self.journal.clean(self._clean)
            path = self._clean(head.path.encode("utf-8", "replace")).decode()
            head = head._replace(path=path, request=self._clean(head.request))
        return row(self.request_id, head, body, self.journal, ending)

    def _succeed(self, kind: str, payload: bytes) -> None:
        if kind == "response":
            response = loads(payload)
            headers = dumps(response.get("headers", []))
            self.end(response["status"], headers, response_body(response), payload, None)
        else:
            self.end(200, b"", payload, payload, None)

    def _clean(self, text: bytes) -> bytes:
        for value in self._redactions:
            text = text.replace(value, REDACTED)
        return text

    def _clean_call(self, op: str, args: bytes, parsed: Any) -> bytes:
        if op == "fetch" and isinstance(parsed, dict) and parsed.get("headers"):
            args = dumps({**parsed, "headers": record_headers(parsed["headers"])})
        elif op.startswith("crypto."):
            args = dumps(record_keys(parsed))
        return self._clean(args)


def response_body(response: dict[str, Any]) -> bytes:
    if "json" in response:
        return dumps(response["json"])
    if "body_base64" in response:
        return base64.b64decode(response["body_base64"])
    return str(response.get("body") or "").encode("utf-8", "replace")
