-- Rows of table $2 as they stood at $3 (text: key, image, whether that is the row of now), after key $4, at most $5.
-- $1 the mask's key. What was changed later is taken from the old image of its first later change.
WITH now AS MATERIALIZED (/* current rows */), later AS (
    SELECT DISTINCT ON (row, key) key, old
    FROM flux.mutations WHERE table_id = $2 AND at > $3 AND key IS NOT NULL
    ORDER BY row, key, at, id
), stood AS (
    SELECT key, old AS image, false AS current FROM later WHERE old IS NOT NULL
    UNION ALL
    SELECT now.key, now.image, true FROM now WHERE NOT EXISTS (SELECT FROM later WHERE later.key = now.key)
)
SELECT key, image, current, count(*) OVER () AS remaining
FROM stood WHERE $4::text IS NULL OR key COLLATE "C" > $4 ORDER BY key COLLATE "C" LIMIT $5
