-- Seconds until the next job of the functions $1 (NULL: any) is due or a lease runs out; hops from priority to priority.
WITH RECURSIVE priorities AS (
    (SELECT priority FROM flux.jobs WHERE state = 'queued' ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT lower.priority FROM priorities CROSS JOIN LATERAL (
        SELECT priority FROM flux.jobs
        WHERE state = 'queued' AND priority < priorities.priority ORDER BY priority DESC LIMIT 1
    ) AS lower
), moments AS (
    SELECT first.run_at AS moment FROM priorities CROSS JOIN LATERAL (
        SELECT run_at FROM flux.jobs
        WHERE state = 'queued' AND jobs.priority = priorities.priority AND ($1::text[] IS NULL OR function = ANY ($1))
        ORDER BY run_at LIMIT 1
    ) AS first
    UNION ALL
    (SELECT lease_until FROM flux.jobs WHERE state = 'running' ORDER BY lease_until LIMIT 1)
)
-- greatest() ignores NULL, so the case of no moment at all is told apart by HAVING.
SELECT greatest(0, extract(epoch FROM min(moment) - clock_timestamp()))::float8 FROM moments HAVING count(moment) > 0
