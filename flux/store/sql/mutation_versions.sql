-- How many versions row $1 (key $2) of table $3 had up to its mutation ($4, $5): the mutations that are kept, those of
-- dropped weeks, and the version that was there before the first one.
SELECT count(*) + coalesce(
    (SELECT versions FROM flux.dropped_versions WHERE row = $1),
    CASE (SELECT operation FROM flux.mutations WHERE row = $1 AND key = $2 AND table_id + 0 = $3 ORDER BY at, id LIMIT 1)
        WHEN 'insert' THEN 0 ELSE 1 END)
FROM flux.mutations WHERE row = $1 AND key = $2 AND table_id + 0 = $3 AND at <= $4 AND (at, id) <= ($4, $5)
