-- All relations of the team's, as far as their protection depends on it ($1: tables whose row-level security is ours).
SELECT class.oid, namespace.nspname AS schema, class.relname AS name, class.relkind::text AS kind,
    pg_catalog.pg_has_role(class.relowner, 'USAGE') AS ours,
    EXISTS (
        SELECT FROM pg_catalog.aclexplode(class.relacl) AS entry WHERE entry.grantee = 0
        UNION ALL
        SELECT FROM pg_catalog.pg_attribute AS attribute, pg_catalog.aclexplode(attribute.attacl) AS entry
        WHERE attribute.attrelid = class.oid AND entry.grantee = 0
    ) AS public,
    ARRAY(SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = class.oid ORDER BY 1) AS parents,
    CASE WHEN class.relkind IN ('v', 'm') AND NOT coalesce(class.reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}'
        THEN ARRAY(
            SELECT DISTINCT dependency.refobjid
            FROM pg_catalog.pg_rewrite AS rule
            JOIN pg_catalog.pg_depend AS dependency
                ON dependency.classid = 'pg_catalog.pg_rewrite'::regclass AND dependency.objid = rule.oid
                AND dependency.refclassid = 'pg_catalog.pg_class'::regclass AND dependency.refobjid <> class.oid
            WHERE rule.ev_class = class.oid
            ORDER BY 1
        ) ELSE '{}' END AS reads,
    class.relrowsecurity AS secured,
    ARRAY(
        SELECT polname::text FROM pg_catalog.pg_policy
        WHERE polrelid = class.oid AND starts_with(polname::text, 'flux_') ORDER BY 1
    ) AS policies,
    EXISTS (
        SELECT FROM pg_catalog.pg_policy WHERE polrelid = class.oid AND NOT starts_with(polname::text, 'flux_')
    ) AS foreign_policies,
    class.oid = ANY ($1::oid[]) AS claimed,
    EXISTS (SELECT FROM flux.policies AS policy WHERE policy.active AND policy.relation = class.oid) AS policed,
    coalesce(class.relacl::text, '') || coalesce((
        SELECT string_agg(attname || attacl::text, ' ' ORDER BY attnum)
        FROM pg_catalog.pg_attribute WHERE attrelid = class.oid AND attacl IS NOT NULL
    ), '') AS rights
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND namespace.nspname NOT IN ('flux', 'flux_auth', 'information_schema')
    AND namespace.nspname !~ '^pg_'
