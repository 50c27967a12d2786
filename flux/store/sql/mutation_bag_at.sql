-- Rows of table $2, which has no primary key, as they stood at $3: those of now, without what came later, with what went.
-- $1 the mask's key, $4 the last image of the page before, at most $5.
WITH now AS MATERIALIZED (/* current rows */), counted AS (
    SELECT image::text AS image, 1 AS number FROM now
    UNION ALL
    SELECT new::text, -1 FROM flux.mutations WHERE table_id = $2 AND at > $3 AND new IS NOT NULL AND operation <> 'ddl'
    UNION ALL
    SELECT old::text, 1 FROM flux.mutations WHERE table_id = $2 AND at > $3 AND old IS NOT NULL
), stood AS (
    SELECT image, sum(number) AS number FROM counted GROUP BY image HAVING sum(number) > 0
)
SELECT NULL::text AS key, image::json AS image, number, count(*) OVER () AS remaining, false AS current
FROM stood WHERE $4::text IS NULL OR image COLLATE "C" > $4 ORDER BY image COLLATE "C" LIMIT $5
