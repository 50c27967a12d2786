-- Active policies whose table has another name now, and no policy of its own under that.
SELECT policy.table_name AS table, class.relname::text AS now
FROM flux.policies AS policy
JOIN pg_catalog.pg_class AS class ON class.oid = policy.relation
WHERE policy.active AND class.relname <> policy.table_name AND pg_catalog.pg_table_is_visible(class.oid)
    AND NOT EXISTS (SELECT FROM flux.policies AS own WHERE own.active AND own.table_name = class.relname)
ORDER BY 1
