"""Baseline 2: FastAPI, uvicorn, asyncpg and the OpenTelemetry SDK, recording into the same Postgres. Two processes.

What a competent team would write: uvloop and httptools, one connection acquired a request, a pure ASGI middleware for
the request's span, one span a database call, spans exported in the background in large batches, and a queue long enough
that none is dropped under this load. Request and response bodies are not recorded (Flux records them).

Run: DATABASE_URL=postgresql://... uvicorn loadtest.baselines.fastapi_app:app --workers 2 --no-access-log
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel, StringConstraints
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .span_exporter import PostgresSpanExporter

# Connections a process. asyncpg's own default; with two processes 20 for 32 callers, enough to keep Postgres busy.
POOL_SIZE = 10

# The SDK's defaults (2,048 spans, exported every 5 s in batches of 512) drop spans at this rate; these do not.
QUEUE_SPANS = 131_072
BATCH_SPANS = 2_048
DELAY_MS = 1_000

provider = TracerProvider(resource=Resource.create({"service.name": "users"}))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("users")
pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    global pool
    url = os.environ["DATABASE_URL"]
    provider.add_span_processor(
        BatchSpanProcessor(
            PostgresSpanExporter(url),
            max_queue_size=QUEUE_SPANS,
            max_export_batch_size=BATCH_SPANS,
            schedule_delay_millis=DELAY_MS,
        )
    )
    async with asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        yield
    # In a thread: the exporter drives an event loop of its own, which this thread cannot while it runs one.
    await asyncio.to_thread(provider.shutdown)


class RecordRequests:
    """ASGI middleware: the request's span, and its trace ID as `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/traces/"):
            await self._app(scope, receive, send)
            return
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with tracer.start_as_current_span(
            f"{scope['method']} {scope['path']}", kind=SpanKind.SERVER, attributes=attributes
        ) as span:
            request_id = uuid.UUID(int=span.get_span_context().trace_id)

            async def send_with_id(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(StatusCode.ERROR)
                    message["headers"].append((b"x-request-id", str(request_id).encode()))
                await send(message)

            await self._app(scope, receive, send_with_id)


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.add_middleware(RecordRequests)


class Hello(BaseModel):
    name: str


class NewUser(BaseModel):
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    plan: Literal["free", "pro"] = "free"


async def fetchrow(connection: Any, operation: str, statement: str, *arguments: Any) -> asyncpg.Record | None:
    """One database call in a client span of its own."""
    attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": statement}
    with tracer.start_as_current_span(f"db:{operation}", kind=SpanKind.CLIENT, attributes=attributes):
        row: asyncpg.Record | None = await connection.fetchrow(statement, *arguments)
        return row


@app.post("/hello")
async def hello(body: Hello) -> dict[str, str]:
    return {"message": f"Hello, {body.name}!"}


@app.post("/create_user")
async def create_user(user: NewUser) -> dict[str, int]:
    async with pool.acquire() as connection:
        if await fetchrow(connection, "select", "SELECT id FROM users WHERE email = $1", user.email):
            raise HTTPException(409, "email already registered")
        row = await fetchrow(
            connection, "insert", "INSERT INTO users (email, plan) VALUES ($1, $2) RETURNING id", user.email, user.plan
        )
        assert row is not None
        await fetchrow(
            connection, "enqueue", "INSERT INTO jobs (function, payload) VALUES ('send_welcome', $1) RETURNING id",
            f'{{"id": {row["id"]}}}',
        )  # fmt: skip
    return {"id": row["id"]}


@app.get("/traces/{trace_id}")
async def read_trace(trace_id: uuid.UUID) -> list[dict[str, Any]]:
    spans = await pool.fetch("SELECT * FROM spans WHERE trace_id = $1 ORDER BY started_at", trace_id)
    if not spans:
        raise HTTPException(404, "no such trace")
    # Span IDs exceed what JSON numbers hold exactly.
    return [dict(span) | {"span_id": str(span["span_id"]), "parent_id": str(span["parent_id"])} for span in spans]
