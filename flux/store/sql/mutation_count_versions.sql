-- Add the versions of rows in a week about to be dropped to those of weeks before it; forget rows that ended deleted.
WITH counted AS (
    SELECT row, count(*) AS versions,
        (array_agg(operation ORDER BY at, id))[1] AS first,
        (array_agg(operation ORDER BY at DESC, id DESC))[1] AS last
    FROM flux.mutations_week
    WHERE row IS NOT NULL
    GROUP BY row
), forgotten AS (
    DELETE FROM flux.dropped_versions d USING counted c WHERE d.row = c.row AND c.last = 'delete'
)
INSERT INTO flux.dropped_versions AS d (row, versions)
-- A row that was there before its first mutation had a version then.
SELECT row, versions + CASE first WHEN 'insert' THEN 0 ELSE 1 END FROM counted WHERE last <> 'delete'
ON CONFLICT (row) DO UPDATE SET versions = d.versions + excluded.versions
    - CASE (SELECT first FROM counted c WHERE c.row = d.row) WHEN 'insert' THEN 0 ELSE 1 END
