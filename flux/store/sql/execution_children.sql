-- Jobs pushed by execution $1 with their latest attempt, and executions that name it as parent and are not such attempts.
WITH pushed AS (
    SELECT job_id, function, state, attempts, request_ids, request_ids[attempts] AS request_id, created_at
    FROM flux.jobs WHERE parent_request_id = $1
), attempted AS (
    SELECT unnest(request_ids) AS request_id FROM pushed
)
SELECT 'job' AS kind, p.function, p.job_id, p.state, p.attempts, p.request_id, e.status, e.started_at, e.duration_us,
       p.created_at AS at
FROM pushed p LEFT JOIN flux.executions e ON e.request_id = p.request_id
UNION ALL
SELECT e.kind, e.function, NULL, CASE WHEN e.status >= 400 THEN 'failed' ELSE 'done' END, NULL, e.request_id, e.status,
       e.started_at, e.duration_us, e.started_at
FROM flux.executions e
WHERE e.parent_request_id = $1
  AND NOT EXISTS (SELECT FROM attempted a WHERE a.request_id = e.request_id)
ORDER BY at
