-- Every column of every table that functions may name: the schemas of the search path, without Flux's own.
WITH RECURSIVE base (type, base) AS (
    SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT domain.oid, base.base
    FROM pg_catalog.pg_type AS domain
    JOIN base ON base.type = domain.typbasetype
    WHERE domain.typtype = 'd'
)
SELECT
    namespace.nspname AS schema,
    class.relname AS "table",
    attribute.attname AS "column",
    coalesce(element.typname, type.typname) AS type,
    coalesce(element.typtype, type.typtype) = 'e' AS enumeration,
    coalesce(element_namespace.nspname, type_namespace.nspname) = 'pg_catalog' AS built_in,
    element.oid IS NOT NULL AS "array",
    pg_catalog.format_type(type.oid, NULL) AS sql,
    array_position(key.conkey, attribute.attnum) AS key_position
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid
JOIN base ON base.type = attribute.atttypid
JOIN pg_catalog.pg_type AS type ON type.oid = base.base
JOIN pg_catalog.pg_namespace AS type_namespace ON type_namespace.oid = type.typnamespace
LEFT JOIN base AS element_base ON element_base.type = type.typelem AND type.typcategory = 'A'
LEFT JOIN pg_catalog.pg_type AS element ON element.oid = element_base.base
LEFT JOIN pg_catalog.pg_namespace AS element_namespace ON element_namespace.oid = element.typnamespace
LEFT JOIN pg_catalog.pg_constraint AS key ON key.conrelid = class.oid AND key.contype = 'p'
WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
    AND namespace.nspname = ANY (pg_catalog.current_schemas(false))
    AND namespace.nspname NOT IN ('flux', 'pg_catalog', 'information_schema')
    AND pg_catalog.pg_table_is_visible(class.oid)
ORDER BY class.oid, attribute.attnum
