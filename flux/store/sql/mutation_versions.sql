-- How many versions row $1 (key $2) of table $3 had up to its mutation ($4, $5): the mutations that are kept, those of
-- dropped weeks, and the version that was there before the first one. In one pass, as each costs two look-ups a week.
SELECT count(*) FILTER (WHERE (at, id) <= ($4, $5)) + coalesce(
    (SELECT versions FROM flux.dropped_versions WHERE row = $1),
    -- Ids of one row are in the order of its changes; the lowest bit is the first one's.
    min(id * 2 + (operation <> 'insert')::int) % 2)
FROM flux.mutations WHERE row = $1 AND key = $2 AND table_id + 0 = $3
