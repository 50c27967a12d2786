-- All tables of the search path but those in the schemas $1 ($2: with partitions, as tables of their own).
--
-- One row per column, because there are thousands of them; and one row without a number for each of the small sections,
-- whose name is in `name` and whose JSON in `content`. One statement, so that all of it is of the same moment.
WITH RECURSIVE relation AS MATERIALIZED (
    SELECT class.oid, namespace.nspname AS schema, class.relname AS name, class.relkind AS kind,
        class.reltype AS row_type, class.reltuples AS estimate
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = ANY (pg_catalog.current_schemas(false))
        AND namespace.nspname <> ALL ($1::text[])
        AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND ($2::boolean OR NOT class.relispartition)
        AND pg_catalog.pg_table_is_visible(class.oid)
),
attribute AS MATERIALIZED (
    SELECT attribute.attrelid AS relation, attribute.attnum AS number, attribute.attname AS name,
        attribute.atttypid AS type, attribute.atttypmod AS modifier, attribute.attnotnull AS strict,
        CASE WHEN attribute.attidentity <> '' THEN attribute.attidentity ELSE attribute.attgenerated END AS generated
    FROM relation
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid
    WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
),
-- Functions of one row, usable as columns.
computed AS MATERIALIZED (
    SELECT relation.oid AS relation, namespace.nspname AS schema, function.proname AS name, function.prorettype AS type
    FROM pg_catalog.pg_proc AS function
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = function.pronamespace
    JOIN relation ON relation.row_type = function.proargtypes[0]
    JOIN pg_catalog.pg_type AS type ON type.oid = function.prorettype
    WHERE function.pronamespace = ANY (ARRAY(
            SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY (pg_catalog.current_schemas(false))
        ))
        AND function.pronargs = 1
        AND function.prokind = 'f'
        AND NOT function.proretset
        AND function.provolatile IN ('i', 's')
        AND type.typtype <> 'p'
        AND namespace.nspname <> ALL ($1::text[])
        AND pg_catalog.pg_function_is_visible(function.oid)
),
used AS (
    SELECT type, modifier FROM attribute
    UNION
    SELECT type, -1 FROM computed
),
-- From a domain down to the type that it is made of, whose modifier is the innermost one.
step (type, modifier, base, base_modifier, strict, initial) AS (
    SELECT type, modifier, type, modifier, false, NULL::text FROM used
    UNION ALL
    SELECT step.type, step.modifier, domain.typbasetype,
        CASE domain.typtypmod WHEN -1 THEN step.base_modifier ELSE domain.typtypmod END,
        step.strict OR domain.typnotnull, coalesce(step.initial, domain.typdefault COLLATE "default")
    FROM step
    JOIN pg_catalog.pg_type AS domain ON domain.oid = step.base AND domain.typtype = 'd'
),
resolved AS MATERIALIZED (
    SELECT step.*, element.oid AS element
    FROM step
    JOIN pg_catalog.pg_type AS base ON base.oid = step.base AND base.typtype <> 'd'
    LEFT JOIN pg_catalog.pg_type AS element ON element.oid = base.typelem AND element.typarray = base.oid
),
element_step (element, base) AS (
    SELECT DISTINCT element, element FROM resolved WHERE element IS NOT NULL
    UNION ALL
    SELECT element_step.element, domain.typbasetype
    FROM element_step
    JOIN pg_catalog.pg_type AS domain ON domain.oid = element_step.base AND domain.typtype = 'd'
),
-- Whose rows a view shows, and those of tables that inherit: first what is read, then whose rows these are as well.
reading (relation, shown) AS (
    SELECT oid, oid FROM relation
    WHERE kind IN ('v', 'm') OR kind = 'r' AND oid IN (SELECT inhparent FROM pg_catalog.pg_inherits)
    UNION
    SELECT reading.relation, next.shown
    FROM reading
    CROSS JOIN LATERAL (
        SELECT source.refobjid AS shown
        FROM pg_catalog.pg_rewrite AS rule
        JOIN pg_catalog.pg_depend AS source ON source.classid = 'pg_catalog.pg_rewrite'::regclass
            AND source.objid = rule.oid AND source.refclassid = 'pg_catalog.pg_class'::regclass
        WHERE rule.ev_class = reading.shown AND rule.ev_type = '1'
        UNION ALL
        SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = reading.shown
    ) AS next
),
showing (relation, shown) AS (
    SELECT relation, shown FROM reading
    UNION
    SELECT oid, oid FROM relation WHERE oid IN (SELECT inhrelid FROM pg_catalog.pg_inherits)
    UNION
    SELECT showing.relation, above.inhparent
    FROM showing
    JOIN pg_catalog.pg_inherits AS above ON above.inhrelid = showing.shown
),
-- Tables and all whose rows are theirs, too: partitions, and tables that inherit.
part (relation, member) AS (
    SELECT oid, oid FROM relation WHERE kind IN ('r', 'p', 'f')
    UNION ALL
    SELECT part.relation, child.inhrelid
    FROM part
    JOIN pg_catalog.pg_inherits AS child ON child.inhparent = part.member
)
SELECT relation, number, name::text, type, modifier, strict, generated::text, NULL AS content
FROM attribute
UNION ALL
SELECT NULL, NULL, section.name, NULL, NULL, NULL, NULL, section.value::text
FROM (
    SELECT 'relations' AS name, json_agg(json_build_array(oid::int8, schema, name, kind)) AS value
    FROM relation
    UNION ALL
    SELECT 'types', json_agg(json_build_array(
        resolved.type::int8, resolved.modifier,
        pg_catalog.format_type(resolved.base, resolved.base_modifier), pg_catalog.format_type(resolved.base, -1),
        CASE WHEN resolved.type <> resolved.base THEN pg_catalog.format_type(resolved.type, -1) END,
        resolved.strict, resolved.initial,
        kind.typname, kind.typtype, namespace.nspname = 'pg_catalog', resolved.element IS NOT NULL,
        (
            SELECT json_agg(label.enumlabel ORDER BY label.enumsortorder)
            FROM pg_catalog.pg_enum AS label
            WHERE label.enumtypid = kind.oid
        )
    ))
    FROM resolved
    LEFT JOIN element_step ON element_step.element = resolved.element
    JOIN pg_catalog.pg_type AS kind ON kind.oid = coalesce(element_step.base, resolved.base) AND kind.typtype <> 'd'
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = kind.typnamespace
    UNION ALL
    -- To write one out takes longer than all else about its column, and most are like many others (now(), false): each
    -- is written out once. Only what generates a column may depend on its table.
    SELECT 'expressions', json_agg(json_build_array(
        pg_catalog.pg_get_expr(one.adbin, one.adrelid), alike.relations, alike.numbers
    ))
    FROM (
        SELECT min(expression.oid) AS oid,
            array_agg(expression.adrelid::int8 ORDER BY expression.oid) AS relations,
            array_agg(expression.adnum ORDER BY expression.oid) AS numbers
        FROM relation
        JOIN pg_catalog.pg_attrdef AS expression ON expression.adrelid = relation.oid
        GROUP BY expression.adbin::text,
            CASE WHEN relation.oid IN (
                SELECT attribute.relation FROM attribute WHERE attribute.generated IN ('s', 'v')
            ) THEN relation.oid END
    ) AS alike
    JOIN pg_catalog.pg_attrdef AS one ON one.oid = alike.oid
    UNION ALL
    SELECT 'keys', json_agg(json_build_array(key.conrelid::int8, key.conkey))
    FROM relation
    JOIN pg_catalog.pg_constraint AS key ON key.conrelid = relation.oid AND key.contype = 'p'
    UNION ALL
    SELECT 'foreign_keys', json_agg(json_build_array(
        key.conname, key.conrelid::int8, key.conkey, key.confrelid::int8, key.confkey
    ))
    FROM relation AS holder
    JOIN pg_catalog.pg_constraint AS key ON key.conrelid = holder.oid AND key.contype = 'f'
    JOIN relation AS target ON target.oid = key.confrelid
    LEFT JOIN pg_catalog.pg_constraint AS parent ON parent.oid = key.conparentid
    -- One that stands for another lies between listed tables only when partitions were asked for, or beside its parent.
    WHERE parent.oid IS NULL OR parent.confrelid = key.confrelid
    UNION ALL
    SELECT 'indexes', json_agg(json_build_array(
        index.indrelid::int8, class.relname, index.indkey::int2[], index.indnkeyatts, index.indisunique,
        method.amname, index.indpred IS NOT NULL
    ))
    FROM relation
    JOIN pg_catalog.pg_index AS index ON index.indrelid = relation.oid
    JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
    JOIN pg_catalog.pg_am AS method ON method.oid = class.relam
    WHERE index.indisvalid AND index.indisready
    UNION ALL
    SELECT 'computed', json_agg(json_build_array(relation::int8, schema, name, type::int8))
    FROM computed
    UNION ALL
    SELECT 'comments', json_agg(json_build_array(comment.objoid::int8, comment.objsubid, comment.description))
    FROM pg_catalog.pg_description AS comment
    WHERE comment.objoid = ANY (ARRAY(SELECT oid FROM relation))
        AND comment.classoid = 'pg_catalog.pg_class'::regclass
    UNION ALL
    -- By triggers before (2) or instead of (64) each row (1), their own or those of a part.
    SELECT 'rewritten', json_agg(json_build_array(relation::int8))
    FROM (
        SELECT DISTINCT coalesce(part.relation, relation.oid) AS relation
        FROM pg_catalog.pg_trigger AS own
        LEFT JOIN part ON part.member = own.tgrelid
        LEFT JOIN relation ON relation.oid = own.tgrelid
        WHERE NOT own.tgisinternal AND own.tgtype & 1 <> 0 AND own.tgtype & 66 <> 0
            AND own.tgname <> '~flux_check' AND coalesce(part.relation, relation.oid) IS NOT NULL
    ) AS triggers
    UNION ALL
    -- Where Flux' trigger fires for each row, after all others before it. Partitions have it from their table; that of
    -- a table that inherits answers for that table only.
    SELECT 'checked', json_agg(json_build_array(relation.oid::int8))
    FROM relation
    WHERE relation.oid IN (SELECT tgrelid FROM pg_catalog.pg_trigger WHERE tgname = '~flux_check')
        AND NOT EXISTS (
            SELECT FROM part
            LEFT JOIN pg_catalog.pg_trigger AS own
                ON own.tgrelid = part.member AND own.tgname = '~flux_check' AND own.tgenabled IN ('O', 'A')
                AND (relation.kind = 'p' OR part.member = relation.oid)
            LEFT JOIN pg_catalog.pg_trigger AS later
                ON later.tgrelid = part.member AND later.tgname > '~flux_check' AND later.tgtype & 3 = 3
            WHERE part.relation = relation.oid AND (own.oid IS NULL OR later.oid IS NOT NULL)
        )
    UNION ALL
    -- With its schema what is in none of the search path: a table that was moved there may have a policy all the same.
    SELECT 'shows', json_agg(json_build_array(showing.relation::int8, coalesce(
        listed.name, namespace.nspname || '.' || other.relname
    )))
    FROM showing
    JOIN pg_catalog.pg_class AS other ON other.oid = showing.shown AND other.oid <> showing.relation
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = other.relnamespace
    LEFT JOIN relation AS listed ON listed.oid = showing.shown
    WHERE listed.oid IS NOT NULL
        OR NOT pg_catalog.pg_table_is_visible(other.oid) AND namespace.nspname <> ALL ($1::text[])
    UNION ALL
    SELECT 'estimates', json_agg(json_build_array(relation::int8, estimate::int8))
    FROM (
        SELECT oid AS relation, estimate FROM relation WHERE kind IN ('v', 'm')
        UNION ALL
        SELECT part.relation, sum(greatest(class.reltuples, 0))
        FROM part
        JOIN pg_catalog.pg_class AS class ON class.oid = part.member AND class.relkind <> 'p'
        GROUP BY part.relation
    ) AS estimates
) AS section
