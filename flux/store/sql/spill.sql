-- Store journal records of open executions, once each.
INSERT INTO flux.open_records (execution_id, position, kind, payload, node)
SELECT r.execution_id, r.position, r.kind, r.payload, $5
FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::bytea[]) AS r (execution_id, position, kind, payload)
ON CONFLICT DO NOTHING
