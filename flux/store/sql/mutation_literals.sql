-- The columns of images then ($2) and now ($3) of rows of table $1 (its oid), as literals.
SELECT images.place, a.name, a.literal AS "then", b.literal AS now, a.fixed, a.key
FROM unnest($2::json[], $3::json[]) WITH ORDINALITY AS images ("then", now, place)
CROSS JOIN LATERAL flux.literals($1, coalesce(images."then", '{}')) WITH ORDINALITY
    AS a (name, literal, fixed, key, number)
JOIN LATERAL flux.literals($1, coalesce(images.now, '{}')) b USING (name)
ORDER BY images.place, a.number
