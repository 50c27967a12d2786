-- The tables to be captured, partitions with their root, and what their functions depend on. `incomplete`: triggers that
-- call the right function are missing, or there are others.
CREATE VIEW flux.capturable AS
WITH roots AS (
    SELECT c.oid AS root, n.nspname AS schema, c.relname AS name, c.relkind
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN flux.capture
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname::text = ANY (capture.schemas) AND n.nspname <> 'flux'
      AND NOT (c.relname::text = ANY (capture.unmanaged) OR n.nspname || '.' || c.relname::text = ANY (capture.unmanaged))
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT roots.root, roots.schema, roots.name, managed.id, members.relations,
    columns.names AS columns, coalesce(key.columns, '{}') AS key, masked.columns AS masked,
    special.by_row, capture_guard.needed AS guarded, columns.structure, columns.structure_hash,
    pg_catalog.md5(pg_catalog.concat_ws('|', capture.code, special.by_row, capture_guard.needed, columns.structure,
        key.columns, masked.columns)) AS fingerprint,
    triggers.of_truncate <> pg_catalog.cardinality(members.relations)
        OR triggers.by_statement <> CASE WHEN special.by_row THEN 0 ELSE 3 * pg_catalog.cardinality(members.relations) END
        OR triggers.by_row_count <> CASE WHEN special.by_row THEN 3 ELSE 0 END AS incomplete
FROM roots
CROSS JOIN flux.capture
CROSS JOIN (
    SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger
        WHERE evtname = 'flux_mutation_ddl' AND evtenabled <> 'D') AS needed) capture_guard
LEFT JOIN flux.managed_tables managed ON managed.relation = roots.root AND managed.dropped_at IS NULL
CROSS JOIN LATERAL (
    SELECT CASE roots.relkind WHEN 'r' THEN ARRAY[roots.root] ELSE (
        SELECT pg_catalog.array_agg(tree.relid::oid ORDER BY tree.level, tree.relid)
        FROM pg_catalog.pg_partition_tree(roots.root) tree
        JOIN pg_catalog.pg_class c ON c.oid = tree.relid AND c.relkind IN ('r', 'p')) END AS relations) members
CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(attname::text ORDER BY attnum) FILTER (WHERE attgenerated <> 'v') AS names,
        coalesce(pg_catalog.string_agg(attname || ' ' || atttypid || CASE attgenerated WHEN 'v' THEN ' virtual' ELSE '' END,
            ',' ORDER BY attname), '') AS structure,
        pg_catalog.bit_xor(pg_catalog.hashtextextended(attname || attgenerated::text, atttypid::int8)) AS structure_hash
    FROM pg_catalog.pg_attribute WHERE attrelid = roots.root AND attnum > 0 AND NOT attisdropped) columns
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place) AS columns
    FROM pg_catalog.pg_constraint con
    CROSS JOIN LATERAL pg_catalog.unnest(con.conkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.number
    WHERE con.conrelid = roots.root AND con.contype = 'p') key ON true
CROSS JOIN LATERAL (
    SELECT coalesce(pg_catalog.array_agg(m."column"::text ORDER BY m."column"), '{}') AS columns
    FROM flux.masked_columns m WHERE m.schema = roots.schema AND m."table" = roots.name) masked
CROSS JOIN LATERAL (
    -- tgtype: 1 for each row, 2 before, 64 instead.
    SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t
            WHERE t.tgrelid = ANY (members.relations) AND NOT t.tgisinternal AND t.tgtype & 67 = 1
              AND t.tgname NOT LIKE '!flux\_mutation\_%')
        OR roots.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i
            WHERE roots.root IN (i.inhrelid, i.inhparent)) AS by_row) special
CROSS JOIN LATERAL (
    -- 32 truncate.
    SELECT count(*) FILTER (WHERE t.tgtype & 33 = 0) AS by_statement,
        count(*) FILTER (WHERE t.tgtype & 1 = 1 AND t.tgrelid = roots.root) AS by_row_count,
        count(*) FILTER (WHERE t.tgtype & 32 = 32) AS of_truncate
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid AND f.proname = 'mutation_' || managed.id
    WHERE t.tgrelid = ANY (members.relations) AND t.tgname LIKE '!flux\_mutation\_%') triggers;

-- Those of which something is missing or out of date.
CREATE VIEW flux.capture_pending AS
SELECT c.root
FROM flux.capturable c
LEFT JOIN flux.managed_tables m ON m.id = c.id
WHERE m.id IS NULL OR c.incomplete OR m.fingerprint <> c.fingerprint
   OR (m.schema, m.name, m.key) IS DISTINCT FROM (c.schema, c.name, c.key);

-- What is masked stays so when a table is renamed; who looks after the masks (flux/store/policies.py) comes later.
CREATE FUNCTION flux.keep_masked(root oid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO flux.masked_columns (schema, "table", "column")
    SELECT n.nspname, c.relname, k."column"
    FROM flux.managed_tables m
    JOIN flux.masked_columns k ON k.schema = m.schema AND k."table" = m.name
    JOIN pg_class c ON c.oid = m.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE m.relation = root AND m.dropped_at IS NULL AND (n.nspname, c.relname) <> (m.schema, m.name)
    ON CONFLICT DO NOTHING
$$;

-- The id of a table in mutations: found by oid, else by name among those that are gone, else new.
CREATE FUNCTION flux.table_id(root oid, schema_ name, name_ name, key_ text[]) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id int;
BEGIN
    PERFORM flux.keep_masked(root);
    SELECT id INTO found_id FROM flux.managed_tables WHERE relation = root AND dropped_at IS NULL;
    IF found_id IS NULL THEN
        SELECT m.id INTO found_id FROM flux.managed_tables m
        WHERE (m.schema, m.name) = (schema_, name_)
          AND (m.dropped_at IS NOT NULL OR NOT EXISTS (SELECT FROM flux.capturable c WHERE c.root = m.relation))
        ORDER BY m.id DESC LIMIT 1;
    END IF;
    IF found_id IS NULL THEN
        INSERT INTO flux.managed_tables (relation, schema, name) VALUES (root, schema_, name_) RETURNING id INTO found_id;
    END IF;
    UPDATE flux.managed_tables
    SET relation = root, schema = schema_, name = name_, key = key_, dropped_at = NULL WHERE id = found_id;
    RETURN found_id;
END $$;
