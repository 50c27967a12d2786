-- Rows of table $2 whose image of now (old) differs from that at $3 (new); at most $4.
-- $1 the mask's key.
WITH now AS MATERIALIZED (/* current rows */), later AS (
    SELECT DISTINCT ON (row, key) key, old AS image
    FROM flux.mutations WHERE table_id = $2 AND at > $3 AND key IS NOT NULL
    ORDER BY row, key, at, id
)
SELECT later.key, now.image AS old, later.image AS new
FROM later LEFT JOIN now ON now.key = later.key
WHERE now.image::text IS DISTINCT FROM later.image::text
ORDER BY later.key COLLATE "C" LIMIT $4
