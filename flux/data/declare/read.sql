-- The tables and enumerations of one schema ($1), as far as `flux db` looks after them: one row of JSON arrays.
-- What extensions brought along is theirs; partitions belong to their table.
WITH relation AS MATERIALIZED (
    SELECT class.oid, class.relname AS name, greatest(class.reltuples, 0)::int8 AS estimate
    FROM pg_catalog.pg_class AS class
    WHERE class.relnamespace = $1::text::regnamespace
        AND class.relkind IN ('r', 'p')
        AND NOT class.relispartition
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS member
            WHERE member.classid = 'pg_catalog.pg_class'::regclass AND member.objid = class.oid AND member.deptype = 'e'
        )
)
SELECT
    (
        SELECT json_agg(json_build_array(
            name, estimate, pg_catalog.obj_description(oid, 'pg_class')
        ) ORDER BY name)
        FROM relation
    )::text AS tables,
    (
        SELECT json_agg(json_build_array(
            relation.name, attribute.attname, pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
            NOT attribute.attnotnull, attribute.attidentity, attribute.attgenerated,
            pg_catalog.pg_get_expr(expression.adbin, expression.adrelid),
            pg_catalog.col_description(relation.oid, attribute.attnum)
        ) ORDER BY attribute.attnum)
        FROM relation
        JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
        LEFT JOIN pg_catalog.pg_attrdef AS expression
            ON expression.adrelid = relation.oid AND expression.adnum = attribute.attnum
    )::text AS columns,
    (
        SELECT json_agg(json_build_array(
            relation.name, key.conname, key.contype, key.columns, target.relname, key.target_columns,
            key.confdeltype, key.confupdtype, key.condeferred,
            pg_catalog.pg_get_expr(key.conbin, key.conrelid), index.indnullsnotdistinct
        ) ORDER BY key.conname)
        FROM relation
        JOIN (
            SELECT *,
                ARRAY(
                    SELECT attribute.attname
                    FROM unnest(conkey) WITH ORDINALITY AS part (number, position)
                    JOIN pg_catalog.pg_attribute AS attribute
                        ON attribute.attrelid = conrelid AND attribute.attnum = part.number
                    ORDER BY part.position
                ) AS columns,
                ARRAY(
                    SELECT attribute.attname
                    FROM unnest(confkey) WITH ORDINALITY AS part (number, position)
                    JOIN pg_catalog.pg_attribute AS attribute
                        ON attribute.attrelid = confrelid AND attribute.attnum = part.number
                    ORDER BY part.position
                ) AS target_columns
            FROM pg_catalog.pg_constraint
        ) AS key ON key.conrelid = relation.oid AND key.contype IN ('p', 'u', 'c', 'f') AND key.conislocal
        LEFT JOIN pg_catalog.pg_constraint AS parent ON parent.oid = key.conparentid
        LEFT JOIN pg_catalog.pg_class AS target ON target.oid = key.confrelid
        LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = key.conindid
        WHERE parent.oid IS NULL
    )::text AS constraints,
    (
        SELECT json_agg(json_build_array(
            relation.name, class.relname, index.indisunique, pg_catalog.pg_get_indexdef(class.oid)
        ) ORDER BY class.relname)
        FROM relation
        JOIN pg_catalog.pg_index AS index ON index.indrelid = relation.oid
        JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_constraint AS owner
            WHERE owner.conindid = class.oid AND owner.contype IN ('p', 'u', 'x')
        )
    )::text AS indexes,
    (
        SELECT json_agg(json_build_array(
            type.typname,
            (
                SELECT json_agg(label.enumlabel ORDER BY label.enumsortorder)
                FROM pg_catalog.pg_enum AS label
                WHERE label.enumtypid = type.oid
            ),
            (
                SELECT json_agg(json_build_array(class.relname, attribute.attname))
                FROM pg_catalog.pg_attribute AS attribute
                JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
                WHERE attribute.atttypid IN (type.oid, type.typarray) AND NOT attribute.attisdropped
            ),
            EXISTS (
                SELECT FROM pg_catalog.pg_depend AS user_
                WHERE user_.refclassid = 'pg_catalog.pg_type'::regclass
                    AND user_.refobjid IN (type.oid, type.typarray)
                    AND user_.classid IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass)
                    AND user_.deptype = 'n'
            )
        ) ORDER BY type.typname)
        FROM pg_catalog.pg_type AS type
        WHERE type.typnamespace = $1::text::regnamespace
            AND type.typtype = 'e'
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend AS member
                WHERE member.classid = 'pg_catalog.pg_type'::regclass AND member.objid = type.oid
                    AND member.deptype = 'e'
            )
    )::text AS enumerations
