-- Rows of table $1 that differ between $2 and $3: key, image before, image after, number of mutations; after key $4, at
-- most $5. `counts`: of all such rows.
WITH between_ AS (
    SELECT at, id, row, key, old, new FROM flux.mutations
    WHERE table_id = $1 AND at > $2 AND at <= $3 AND key IS NOT NULL
), edges AS (
    SELECT first.key, first.old, last.new, last.mutations
    FROM (SELECT DISTINCT ON (row, key) row, key, old FROM between_ ORDER BY row, key, at, id) first
    JOIN (SELECT DISTINCT ON (row, key) row, key, new, count(*) OVER (PARTITION BY row, key) AS mutations
          FROM between_ ORDER BY row, key, at DESC, id DESC) last USING (row, key)
), differing AS (
    SELECT key, old, new, mutations FROM edges WHERE old::text IS DISTINCT FROM new::text
), counts AS (
    SELECT count(*) FILTER (WHERE old IS NULL) AS inserted, count(*) FILTER (WHERE new IS NULL) AS deleted,
        count(*) FILTER (WHERE old IS NOT NULL AND new IS NOT NULL) AS updated FROM differing
)
SELECT d.key, d.old, d.new, d.mutations, counts.*
FROM counts LEFT JOIN LATERAL (
    SELECT * FROM differing WHERE $4::text IS NULL OR key COLLATE "C" > $4 ORDER BY key COLLATE "C" LIMIT $5) d ON true
ORDER BY d.key COLLATE "C"
