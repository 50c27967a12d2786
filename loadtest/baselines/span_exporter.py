"""An OpenTelemetry span exporter that stores spans in Postgres by COPY, the fastest way in."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

COLUMNS = ("trace_id", "span_id", "parent_id", "name", "kind", "status", "started_at", "duration_us", "attributes")

# Span IDs are 64 bits without a sign; Postgres's bigint has one.
_SIGN = 1 << 63


class PostgresSpanExporter(SpanExporter):
    """Writes each batch with one COPY over a connection of its own.

    BatchSpanProcessor calls `export` from a thread of its own, one call at a time, so this drives an event loop there.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self._loop.run_until_complete(self._copy([_row(span) for span in spans]))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection = None
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        if self._connection is not None:
            self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    async def _copy(self, rows: list[tuple[Any, ...]]) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        await self._connection.copy_records_to_table("spans", records=rows, columns=COLUMNS)


def _row(span: ReadableSpan) -> tuple[Any, ...]:
    start_ns, end_ns = span.start_time or 0, span.end_time or 0
    return (
        uuid.UUID(int=span.context.trace_id),
        span.context.span_id - _SIGN,
        None if span.parent is None else span.parent.span_id - _SIGN,
        span.name,
        span.kind.name,
        span.status.status_code.name,
        datetime.fromtimestamp(start_ns / 1e9, UTC),
        (end_ns - start_ns) // 1000,
        orjson.dumps(dict(span.attributes or {})).decode(),
    )
