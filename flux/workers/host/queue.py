"""`queue.push`: a durable row, written with the caller's transaction or on its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from flux.data.policy.rls.token import job_token
from flux.failure import HostError
from flux.store import jobs

from .arguments import Args, integer, optional_text, text
from .begin import transaction_of
from .connection import single
from .free import Session
from .invoke import deployed

if TYPE_CHECKING:
    from .scope import Scope

MAX_DELAY_MS = 366 * 24 * 3600 * 1000  # a job further away than a year is a row in the team's own table
MAX_PRIORITY = 1000  # either way; more steps than any team names
MAX_ATTEMPTS = 100  # with exponential back-off, more than that outlives everybody's interest
MAX_IDEMPOTENCY_KEY = 255  # it is indexed


async def push(scope: Scope, args: Args) -> bytes:
    """Answers {"job_id"}. With `tx` the job exists from the commit on; without, from now on."""
    services = scope.services
    functions = services.functions()
    function = deployed(text(args, "function"), functions)
    payload = orjson.dumps(args.get("payload"))
    limit = services.settings.limits.body_bytes
    if len(payload) > limit:
        raise HostError("PAYLOAD_TOO_LARGE", 413, f"The payload has {len(payload)} bytes; a job may have {limit}.")
    delay_ms = integer(args, "delay_ms", default=0, minimum=0, maximum=MAX_DELAY_MS)
    priority = integer(args, "priority", default=0, minimum=-MAX_PRIORITY, maximum=MAX_PRIORITY)
    default_attempts = functions[function].max_attempts
    attempts = integer(args, "max_attempts", default=default_attempts, minimum=1, maximum=MAX_ATTEMPTS)
    key = optional_text(args, "idempotency_key", max_length=MAX_IDEMPOTENCY_KEY)

    statement, parameters = jobs.pushing(
        function=function,
        payload=payload,
        parent_request_id=UUID(bytes=scope.request_id),
        tenant=scope.tenant,
        delay_ms=delay_ms,
        priority=priority,
        max_attempts=attempts,
        idempotency_key=key,
        caller=scope.user,
    )
    transaction = transaction_of(scope, args)
    if transaction is None:
        [job_id] = await single(scope, statement, parameters, read=False)
        if delay_ms == 0:
            services.nudge()
        return b'{"job_id":"%b"}' % (job_id or b"")

    async def insert(connection: Session) -> UUID:
        login = transaction.pinned.login
        if login is None:
            job_id: UUID = await connection.fetchval(statement, *parameters)
        else:  # which has no rights on the queue
            signed = jobs.as_object(parameters)
            token = job_token(signed, pid=connection.get_server_pid(), key=login.auth_key, now=time.time())
            job_id = await connection.fetchval("SELECT flux_auth.push($1)", token)
        return job_id

    job = await transaction.run(insert)
    transaction.pushed()
    return b'{"job_id":"%b"}' % str(job).encode()
