-- Active policies whose table has another name now, and no policy of its own under that: one there whose own table has
-- another name, too, does not count.
SELECT policy.table_name AS table, class.relname::text AS now
FROM flux.policies AS policy
JOIN pg_catalog.pg_class AS class ON class.oid = policy.relation
WHERE policy.active AND class.relname <> policy.table_name AND pg_catalog.pg_table_is_visible(class.oid)
    AND NOT EXISTS (
        SELECT FROM flux.policies AS own
        LEFT JOIN pg_catalog.pg_class AS other ON other.oid = own.relation AND other.oid <> class.oid
            AND other.relname <> own.table_name AND pg_catalog.pg_table_is_visible(other.oid)
        WHERE own.active AND own.table_name = class.relname AND other.oid IS NULL
    )
ORDER BY 1
