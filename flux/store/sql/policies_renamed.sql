-- Active policies whose table has another name now, and whether there is a policy of that name, too.
SELECT policy.table_name AS table, class.relname::text AS now,
    EXISTS (SELECT FROM flux.policies AS own WHERE own.active AND own.table_name = class.relname) AS taken
FROM flux.policies AS policy
JOIN pg_catalog.pg_class AS class ON class.oid = policy.relation
WHERE policy.active AND class.relname <> policy.table_name AND pg_catalog.pg_table_is_visible(class.oid)
ORDER BY 1
