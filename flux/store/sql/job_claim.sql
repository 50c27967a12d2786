-- Take up to $1 due jobs of the functions $2 (NULL: of any) for $3 seconds; jobs whose lease ran out are queued again.
WITH lost AS (
    SELECT job_id FROM flux.jobs
    WHERE state = 'running' AND lease_until < statement_timestamp()
    ORDER BY lease_until LIMIT $1
    FOR UPDATE SKIP LOCKED
), returned AS (
    UPDATE flux.jobs SET
        state = CASE WHEN attempts < max_attempts THEN 'queued' ELSE 'dead' END,
        finished_at = CASE WHEN attempts < max_attempts THEN NULL ELSE statement_timestamp() END,
        run_at = statement_timestamp(),
        lease_until = NULL,
        errors = errors || json_build_object(
            'attempt', attempts, 'request_id', request_ids[attempts], 'at', statement_timestamp(),
            'error', json_build_object('code', 'LEASE_EXPIRED', 'message', 'the node that ran it went away'))
    FROM lost WHERE jobs.job_id = lost.job_id
), due AS (
    SELECT job_id FROM flux.jobs
    WHERE state = 'queued' AND run_at <= statement_timestamp() AND ($2::text[] IS NULL OR function = ANY ($2))
    ORDER BY priority DESC, run_at LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE flux.jobs SET
    state = 'running',
    attempts = attempts + 1,
    request_ids = request_ids || gen_random_uuid(),
    lease_until = statement_timestamp() + $3 * interval '1 s'
FROM due WHERE jobs.job_id = due.job_id
RETURNING jobs.job_id, function, payload, tenant, parent_request_id, priority, run_at, attempts, max_attempts,
    request_ids[attempts] AS request_id, caller
