"""Requests that no worker saw (401, 404, 429, 503 ...) are executions too; their journal is the master's own.

The same rings, the same recorder: nothing about them is special once they are written. When the ring is full (an
attack, while Postgres is away) they are counted and dropped, because no caller was promised anything.
"""

from __future__ import annotations

from collections.abc import Collection

from ..errors import FluxError
from ..ipc.segment import Segment
from ..ipc.wire import JournalKind
from ..record.execution import error_json, recorded_body
from ..record.redaction import record_headers
from ..record.row import ExecutionRow, encode
from ..settings.sections import Record
from .heads import request_json
from .http.call import GatewayCall

RING_BYTES = 4 * 1024 * 1024
SMALLEST_RING = 4096  # the segment's request and result rings, which nobody uses here


class Refusals:
    """Writes the rows of refused requests."""

    def __init__(self, instance: str, pid: int, settings: Record) -> None:
        self.segment = Segment.create(
            f"flux-{instance}-master-{pid}",
            request_bytes=SMALLEST_RING,
            result_bytes=SMALLEST_RING,
            journal_bytes=RING_BYTES,
        )
        self._cap = settings.body_bytes
        self._redact = frozenset(name.lower() for name in settings.redact_headers)
        self.dropped = 0

    def record(self, call: GatewayCall, error: FluxError) -> None:
        row = refused_row(call, error, self._cap, self._redact)
        if len(row) > self.segment.journal.largest or not self.segment.journal.try_write(
            JournalKind.END, call.request_id, row
        ):
            self.dropped += 1

    def close(self) -> None:
        self.segment.close()
        self.segment.unlink()


def refused_row(call: GatewayCall, error: FluxError, cap: int, redact: Collection[str]) -> bytes:
    """One row with the gateway's span only. The path is cut where a caller made it absurdly long."""
    span = (
        b'[{"id":1,"parent":0,"seq":1,"kind":"gateway","name":"gateway","op":"gateway","start_us":0,"duration_us":%d,'
        b'"status":"error","input":null,"output":null,"attributes":%b,"settled":0}]' % (call.gateway_us, call.decisions)
    )
    return encode(
        ExecutionRow(
            request_id=call.request_id,
            parent_request_id=None,
            replay_of=None,
            kind="http",
            tenant=call.tenant,
            method=call.method,
            path=call.path,
            route=call.route,
            function=call.spec.name if call.spec else None,
            code_version=call.spec.version if call.spec else None,
            status=error.status,
            error=error_json(error.code, error.message),
            started_us=call.started_us,
            duration_us=call.gateway_us,
            seed=None,
            request=request_json(call, record_headers(call.headers, redact)),
            input=recorded_body(call.body, cap),
            output=None,
            spans=span,
            logs=None,
        )
    )
