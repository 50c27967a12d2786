-- For each column of row $1 (key $2) of table $3, the mutation that last wrote it: an insert writes all of them.
SELECT DISTINCT ON (written.name) written.name AS column, m.at, m.id
FROM flux.mutations m
CROSS JOIN LATERAL (
    SELECT unnest(m.changed) AS name WHERE m.operation = 'update'
    UNION ALL
    SELECT json_object_keys(m.new) WHERE m.operation = 'insert'
) written
WHERE m.row = $1 AND m.key = $2 AND m.table_id + 0 = $3
ORDER BY written.name, m.at DESC, m.id DESC
