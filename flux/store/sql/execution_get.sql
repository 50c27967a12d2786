-- Executions whose ID lies between $1 and $2, newest first: of one ID sent twice by a trusted caller, the latest.
SELECT * FROM flux.executions WHERE request_id BETWEEN $1 AND $2 ORDER BY started_at DESC LIMIT $3
