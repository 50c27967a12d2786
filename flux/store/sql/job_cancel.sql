-- Cancel a queued job; let a running one end without another attempt.
UPDATE flux.jobs SET
    state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
    finished_at = CASE state WHEN 'queued' THEN statement_timestamp() END,
    max_attempts = CASE state WHEN 'running' THEN attempts ELSE max_attempts END
WHERE job_id = $1 AND state IN ('queued', 'running')
RETURNING state
