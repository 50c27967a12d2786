-- Add a job, or find the one that has its idempotency key (the update changes nothing but returns it).
INSERT INTO flux.jobs
    (job_id, function, payload, parent_request_id, tenant, run_at, priority, max_attempts, caller,
    idempotency_key)
VALUES ($1, $2, $3, $4, $5, statement_timestamp() + $6 * interval '1 ms', $7, $8, $9, $10)
ON CONFLICT (function, tenant, idempotency_key) WHERE idempotency_key IS NOT NULL
    DO UPDATE SET idempotency_key = excluded.idempotency_key
RETURNING job_id
