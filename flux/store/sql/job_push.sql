-- Add a job; with an idempotency key that is already there, the ID of that job (the update changes nothing but returns it).
INSERT INTO flux.jobs
    (function, payload, parent_request_id, tenant, run_at, priority, max_attempts, idempotency_key)
VALUES ($1, $2, $3, $4, statement_timestamp() + $5 * interval '1 ms', $6, $7, $8)
ON CONFLICT (function, tenant, idempotency_key) WHERE idempotency_key IS NOT NULL
    DO UPDATE SET idempotency_key = excluded.idempotency_key
RETURNING job_id
