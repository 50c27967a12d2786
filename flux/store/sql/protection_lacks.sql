-- What the current user may do with rows in the search path, and the role $1 may not: the first such relation.
SELECT class.oid::regclass::text
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted (right_)
WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND namespace.nspname = ANY (pg_catalog.current_schemas(false)) AND namespace.nspname NOT IN ('flux', 'flux_auth')
    AND pg_catalog.has_table_privilege(class.oid, right_)
    AND NOT (pg_catalog.has_table_privilege($1::name, class.oid, right_)
        AND pg_catalog.has_schema_privilege($1::name, namespace.oid, 'USAGE'))
LIMIT 1
