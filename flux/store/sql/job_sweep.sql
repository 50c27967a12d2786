-- Forget jobs that ended long ago: $1 hours for those that went well, $2 days for dead and cancelled ones; $3 at a time.
DELETE FROM flux.jobs WHERE job_id = ANY (ARRAY(
    SELECT job_id FROM flux.jobs
    WHERE finished_at < CASE state WHEN 'done' THEN statement_timestamp() - $1 * interval '1 hour'
                                   ELSE statement_timestamp() - $2 * interval '1 day' END
    ORDER BY finished_at LIMIT $3
    FOR UPDATE SKIP LOCKED
))
