"""Makes work out of the things that start an execution: a request, a job, an invocation, a replay, a rehearsal."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from ..manifest import FunctionSpec
from ..record.execution import uuid_text
from ..record.head import SEED_BYTES, Head
from ..record.redaction import record_headers
from ..record.row import Kind
from ..store.jobs import Job
from .http.call import GatewayCall
from .work import Work

# Whoever holds the operator's key acts for nobody in particular; policies may grant the role what it needs.
OPERATOR = {"id": "operator", "role": "service"}


class Seeds:
    """32-byte seeds, cut from larger reads of the system's random source: one system call for many requests."""

    BATCH = 128

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0

    def next(self) -> bytes:
        if self._at >= len(self._buffer):
            self._buffer = os.urandom(SEED_BYTES * self.BATCH)
            self._at = 0
        seed = self._buffer[self._at : self._at + SEED_BYTES]
        self._at += SEED_BYTES
        return seed


def request_work(call: GatewayCall, spec: FunctionSpec, seed: bytes, redact: Collection[str]) -> Work:
    """A request that the gateway let pass: the hottest of them. `redact`: further headers not to record."""
    headers = call.headers
    shown = record_headers(headers, redact)
    head = Head(
        "http",
        None,
        None,
        call.tenant,
        call.user,
        call.method,
        call.path,
        call.route,
        spec.name,
        spec.version,
        call.started_us,
        time.monotonic_ns() // 1000 - call.gateway_us,
        call.gateway_us,
        call.traceparent,
        call.decisions,
        request_json(call, shown),
        seed,
    )
    private = b"" if shown is headers else orjson.dumps({"headers": headers})
    return Work(call.request_id, head.pack(), call.body, private)


def request_json(call: GatewayCall, headers: Sequence[Sequence[str]]) -> bytes:
    """A request as it is recorded, and as a function sees it (but for the headers, when some are secret)."""
    request = {
        "method": call.method,
        "url": call.url,
        "path": call.path,
        "headers": headers,
        "params": call.params,
        "query": call.query,
    }
    if call.user is not None:
        request["user"] = call.user
    return orjson.dumps(request)


def new_id() -> bytes:
    """16 bytes of a random (version 4) UUID."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def internal_head(
    spec: FunctionSpec,
    *,
    kind: Kind,
    parent: str | None,
    tenant: str | None,
    user: Mapping[str, Any] | None = None,
    waited_us: int = 0,
    decisions: Mapping[str, Any] | None = None,
) -> Head:
    """The head of an execution that no HTTP request of its own started; `waited_us` is shown as the entry span."""
    path = f"/{spec.name}"
    request: dict[str, Any] = {
        "method": "POST",
        "url": f"flux://{kind}{path}",
        "path": path,
        "headers": [["content-type", "application/json"]],
        "params": {},
        "query": {},
    }
    if user is not None:
        request["user"] = user
    return Head(
        kind=kind,
        parent=parent,
        replay_of=None,
        tenant=tenant,
        user=user,
        method="POST",
        path=path,
        route=path,
        function=spec.name,
        version=spec.version,
        seed=os.urandom(SEED_BYTES),
        started_us=time.time_ns() // 1000 - waited_us,
        monotonic_us=time.monotonic_ns() // 1000 - waited_us,
        entry_us=waited_us,
        decisions=orjson.dumps(decisions or {}),
        request=orjson.dumps(request),
        traceparent=None,
    )


def job_work(job: Job, spec: FunctionSpec) -> Work:
    parent = uuid_text(job.parent_request_id.bytes) if job.parent_request_id else None
    head = internal_head(
        spec,
        kind="job",
        parent=parent,
        tenant=job.tenant,
        user=job.caller,
        decisions={"job_id": str(job.job_id), "attempt": job.attempt, "max_attempts": job.max_attempts},
    )
    return Work(job.request_id.bytes, head.pack(), job.payload)


def invoke_work(
    spec: FunctionSpec,
    request_id: bytes,
    *,
    parent: str | None,
    tenant: str | None,
    user: Mapping[str, Any] | None,
    body: bytes | None,
) -> Work:
    return Work(request_id, internal_head(spec, kind="invoke", parent=parent, tenant=tenant, user=user).pack(), body)


def rehearsal_work(
    spec: FunctionSpec, *, tenant: str | None, user: Mapping[str, Any] | None, body: bytes | None
) -> Work:
    """Runs a function with a database that forgets, and nothing that leaves (`flux.workers.host.rehearsal`)."""
    head = internal_head(spec, kind="rehearsal", parent=None, tenant=tenant, user=user)
    return Work(new_id(), head.pack(), body, orjson.dumps({"rehearsal": True}))


def replay_work(recorded: Mapping[str, Any], spec: FunctionSpec, body: bytes | None, clock_us: int) -> Work:
    """Runs a recorded execution (as the API gives it) again: same input, seed and clock, on the code of `spec`."""
    request = orjson.dumps(recorded["request"])
    head = Head(
        kind="replay",
        parent=None,
        replay_of=recorded["request_id"],
        tenant=recorded["tenant"],
        user=(orjson.loads(request) or {}).get("user"),
        method=recorded["method"],
        path=recorded["path"],
        route=recorded["route"],
        function=recorded["function"],
        version=spec.version,
        seed=bytes.fromhex(recorded["seed"]),
        started_us=time.time_ns() // 1000,
        monotonic_us=time.monotonic_ns() // 1000,
        entry_us=0,
        decisions=orjson.dumps({"replay_of": recorded["request_id"]}),
        request=request,
        traceparent=None,
    )
    private = {
        "calls": recorded["spans"],
        "spec": spec.to_json(),
        "request_id": recorded["request_id"],
        "clock_us": clock_us,
    }
    return Work(new_id(), head.pack(), body, orjson.dumps(private))
