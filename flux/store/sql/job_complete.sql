-- Jobs whose work is done, even if their lease ran out meanwhile and another attempt was due.
UPDATE flux.jobs SET state = 'done', finished_at = statement_timestamp(), lease_until = NULL
WHERE job_id = ANY ($1) AND state IN ('running', 'queued', 'dead') AND attempts > 0
