"""The queue's table: at least once, by lease.

A claim makes a job `running` until its lease ends and gives the attempt a request ID of its own, under which it will be
found in the record. A node that dies leaves its leases to run out; the next claim, by any node, queues its jobs again.

`done` rows are kept for a day (so that a caller who got 202 can ask for the outcome, and an idempotency key holds that
long), dead and cancelled ones for 90; `sweep` removes them. The record keeps the executions, whatever happens here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson

from flux.store.cursor import InvalidCursor, Page
from flux.store.ids import growing_id
from flux.store.pool import Connection
from flux.store.shape import plain, raw
from flux.store.sql import statement

State = Literal["queued", "running", "done", "dead", "cancelled"]

DONE_KEPT_HOURS = 24
DEAD_KEPT_DAYS = 90
SWEEP_ROWS = 1000

COLUMNS = (
    "job_id, function, payload, tenant, parent_request_id, state, priority, attempts, max_attempts, run_at, "
    "lease_until, request_ids, idempotency_key, errors, created_at, finished_at"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A claimed job. `attempt` counts from 1; `request_id` is the ID that this attempt's execution must run under.

    `caller` is for whom it was pushed, as `ctx.user` has it.
    """

    job_id: UUID
    function: str
    payload: bytes
    tenant: str | None
    parent_request_id: UUID | None
    priority: int
    run_at: datetime
    attempt: int
    max_attempts: int
    request_id: UUID
    caller: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An attempt that failed. `error` is JSON; a job that was claimed again meanwhile (other attempt) is left alone."""

    job_id: UUID
    attempt: int
    error: bytes
    delay_ms: int = 0


async def push(
    conn: Connection,
    *,
    function: str,
    payload: bytes,
    parent_request_id: UUID | None = None,
    tenant: str | None = None,
    delay_ms: int = 0,
    priority: int = 0,
    max_attempts: int = 5,
    idempotency_key: str | None = None,
    caller: Mapping[str, Any] | None = None,
) -> UUID:
    """Add a job, in the caller's transaction if there is one; its ID, or that of the job that has the key already.

    `payload` is JSON text. A larger `priority` runs first. Keys are unique per function and tenant.
    """
    text, parameters = pushing(
        function=function,
        payload=payload,
        parent_request_id=parent_request_id,
        tenant=tenant,
        delay_ms=delay_ms,
        priority=priority,
        max_attempts=max_attempts,
        idempotency_key=idempotency_key,
        caller=caller,
    )
    job_id: UUID = await conn.fetchval(text, *parameters)
    return job_id


def pushing(
    *,
    function: str,
    payload: bytes,
    parent_request_id: UUID | None,
    tenant: str | None,
    delay_ms: int,
    priority: int,
    max_attempts: int,
    idempotency_key: str | None,
    caller: Mapping[str, Any] | None,
) -> tuple[str, list[Any]]:
    """The statement of `push`, which answers the job's ID, and its parameters."""
    who = None if caller is None else orjson.dumps(caller).decode()
    parameters = [
        *(growing_id(), function, payload.decode(), parent_request_id, tenant),
        *(delay_ms, priority, max_attempts, who),
    ]
    if idempotency_key is None:
        return statement("job_push"), parameters
    return statement("job_push_once"), [*parameters, idempotency_key]


_PARAMETERS = (
    *("job_id", "function", "payload", "parent_request_id", "tenant", "delay_ms", "priority", "max_attempts", "caller"),
    "idempotency_key",
)


def as_object(parameters: Sequence[Any]) -> dict[str, Any]:
    """The parameters of `pushing` by name, as `flux_auth.push` takes them (migration 0007)."""
    return dict(zip(_PARAMETERS, parameters, strict=False))


async def claim(conn: Connection, *, limit: int, functions: Sequence[str] | None, lease_s: float) -> list[Job]:
    """Take due jobs, the most urgent first; never one that another claim holds."""
    rows = await conn.fetch(statement("job_claim"), limit, functions, lease_s)
    jobs = [
        Job(
            job_id=row["job_id"],
            function=row["function"],
            payload=row["payload"].encode(),
            tenant=row["tenant"],
            parent_request_id=row["parent_request_id"],
            priority=row["priority"],
            run_at=row["run_at"],
            attempt=row["attempts"],
            max_attempts=row["max_attempts"],
            request_id=row["request_id"],
            caller=orjson.loads(row["caller"]) if row["caller"] else None,
        )
        for row in rows
    ]
    return sorted(jobs, key=lambda job: (-job.priority, job.run_at))


async def complete(conn: Connection, job_ids: Sequence[UUID]) -> None:
    """Mark jobs as done."""
    await conn.execute(statement("job_complete"), job_ids)


async def retry(conn: Connection, failures: Sequence[Failure]) -> dict[UUID, State]:
    """Queue failed jobs again, each after its delay; those without an attempt left become dead. Their new states."""
    rows = await conn.fetch(
        statement("job_fail"),
        [failure.job_id for failure in failures],
        [failure.attempt for failure in failures],
        [failure.error.decode() for failure in failures],
        [failure.delay_ms for failure in failures],
    )
    return {row["job_id"]: row["state"] for row in rows}


async def release(conn: Connection, *, job_id: UUID, attempt: int, delay_ms: int) -> None:
    """Queue a claimed job again that did not get to run; the attempt does not count."""
    await conn.execute(
        "UPDATE flux.jobs SET state = 'queued', attempts = attempts - 1, lease_until = NULL, "
        "request_ids = request_ids[1:attempts - 1], "
        "run_at = statement_timestamp() + $3 * interval '1 ms' "
        "WHERE job_id = $1 AND attempts = $2 AND state = 'running'",
        job_id,
        attempt,
        delay_ms,
    )


async def extend(conn: Connection, job_ids: Sequence[UUID], lease_s: float) -> None:
    """Heartbeat: keep the leases of jobs that still run."""
    await conn.execute(
        "UPDATE flux.jobs SET lease_until = statement_timestamp() + $2 * interval '1 s' "
        "WHERE job_id = ANY ($1) AND state = 'running'",
        job_ids,
        lease_s,
    )


async def cancel(conn: Connection, job_id: UUID) -> State | None:
    """Cancel a queued job ("cancelled"); a running one gets no further attempt ("running"); None when it has ended."""
    state: State | None = await conn.fetchval(statement("job_cancel"), job_id)
    return state


async def sweep(
    conn: Connection, *, done_hours: int = DONE_KEPT_HOURS, dead_days: int = DEAD_KEPT_DAYS, limit: int = SWEEP_ROWS
) -> int:
    """Forget up to `limit` jobs that ended long ago; how many there were."""
    tag = await conn.execute(statement("job_sweep"), done_hours, dead_days, limit)
    return int(tag.split()[-1])


async def get(conn: Connection, job_id: UUID) -> dict[str, Any] | None:
    """One job as JSON, error history included."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM flux.jobs WHERE job_id = $1", job_id)  # noqa: S608 (constant)
    return _to_json(row) if row else None


async def page(
    conn: Connection,
    *,
    state: State | None = None,
    function: str | None = None,
    tenant: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """Jobs, newest first. `after`: the `next` of the page before."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM flux.jobs "  # noqa: S608 (constant)
        "WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR function = $2) "
        "AND ($3::text IS NULL OR tenant = $3) "
        "AND ($4::uuid IS NULL OR job_id < $4) "
        "ORDER BY job_id DESC LIMIT $5",
        state,
        function,
        tenant,
        _cursor(after),
        limit + 1,
    )
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        items=[_to_json(row) for row in rows],
        next=str(rows[-1]["job_id"]) if more else None,
    )


def _cursor(after: str | None) -> UUID | None:
    try:
        return UUID(after) if after else None
    except ValueError:
        raise InvalidCursor from None


def _to_json(row: Any) -> dict[str, Any]:
    job = {column: plain(value) for column, value in row.items()}
    return {**job, "payload": raw(row["payload"]), "errors": [raw(error) for error in row["errors"]]}
