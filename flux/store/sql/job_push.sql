-- Add a job that nothing but its ID tells from others.
INSERT INTO flux.jobs
    (job_id, function, payload, parent_request_id, tenant, run_at, priority, max_attempts, caller)
VALUES ($1, $2, $3, $4, $5, statement_timestamp() + $6 * interval '1 ms', $7, $8, $9)
RETURNING job_id
