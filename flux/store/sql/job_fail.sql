-- Attempts that failed (job, attempt, error, delay): queue again after the delay, or bury when no attempt is left.
UPDATE flux.jobs SET
    state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'queued' END,
    finished_at = CASE WHEN attempts >= max_attempts THEN statement_timestamp() END,
    run_at = statement_timestamp() + failed.delay_ms * interval '1 ms',
    lease_until = NULL,
    errors = errors || json_build_object(
        'attempt', attempts, 'request_id', request_ids[attempts], 'at', statement_timestamp(), 'error', failed.error)
FROM unnest($1::uuid[], $2::smallint[], $3::json[], $4::bigint[]) AS failed (job_id, attempt, error, delay_ms)
WHERE jobs.job_id = failed.job_id AND jobs.state = 'running' AND jobs.attempts = failed.attempt
RETURNING jobs.job_id, jobs.state
