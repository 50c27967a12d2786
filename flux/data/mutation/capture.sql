-- How changes are captured: applied anew by flux/store/mutations/install.py whenever this text has changed.
--
-- Theory of operation. Each managed table has triggers that fire once per statement, after it, and see the changed rows
-- as transition tables; they call a function generated for that table, whose statements are static and so planned once
-- per session. What must hold:
--   * A mutation is written in the transaction of the change, so it exists if and only if the change does.
--   * Ids are in the order in which changes of a row took effect. A trigger of the team's that fires after each row may
--     change the row again before the statement's end; tables that have such a one, and tables that inherit (a
--     statement on the parent does not see the child's columns), are captured row by row instead. Names that begin with
--     "!" fire before everybody else's.
--   * The writer needs no right on schema flux (SECURITY DEFINER), and cannot claim to be somebody else (flux.attributed).
--   * Whatever the table's owner does to the table next, the team's writes go on. Where Flux may not create event
--     triggers it learns of an ALTER TABLE too late: there functions begin with a check of the table's columns
--     (`guarded`) and fall back to statements made on the spot.
-- Everything is written schema-qualified or under a search_path of pg_catalog alone.

DROP VIEW IF EXISTS flux.capture_pending, flux.capturable CASCADE;
DROP FUNCTION IF EXISTS flux.table_id, flux.columns_captured, flux.capture_statement, flux.capture_statements_now,
    flux.capture_function, flux.manage, flux.unmanage, flux.note_ddl CASCADE;

-- Whom a change by another role than Flux's own is attributed to. `setting`: a MAC of flux.hmac in hexadecimal followed
-- by the JSON that it covers together with the session's process number and a time limit (identity.py), else worthless.
CREATE OR REPLACE FUNCTION flux.attributed(setting text) RETURNS flux.identity
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who flux.identity;
    trusted bool := session_user = current_user AND current_setting('role') = 'none';
BEGIN
    IF trusted AND setting <> '' THEN
        who := json_populate_record(NULL::flux.identity, (CASE WHEN setting LIKE '{%' THEN setting ELSE substr(setting, 65) END)::json);
    ELSIF length(setting) > 64 AND left(setting, 64) = encode(flux.hmac(
        (SELECT key FROM flux.secret WHERE name = 'identity'),
        convert_to(substr(setting, 65) || pg_backend_pid(), 'UTF8')), 'hex')
    THEN
        who := json_populate_record(NULL::flux.identity, substr(setting, 65)::json);
        IF who.until IS NULL OR who.until < extract(epoch FROM clock_timestamp()) THEN
            who := NULL;
        END IF;
    END IF;
    IF who IS NULL THEN
        who.actor := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    END IF;
    RETURN who;
END $$;
REVOKE ALL ON FUNCTION flux.attributed(text) FROM PUBLIC;

-- The tables to be captured, partitions with their root, and what their functions depend on. Counts are of Flux's own
-- triggers that call the right function.
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
    special.by_row, capture_guard.needed AS guarded, columns.structure,
    pg_catalog.md5(pg_catalog.concat_ws('|', capture.code, special.by_row, capture_guard.needed, columns.structure,
        key.columns, masked.columns)) AS fingerprint,
    triggers.by_statement, triggers.by_row_count, triggers.of_truncate
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
    SELECT pg_catalog.array_agg(attname::text ORDER BY attnum) AS names,
        pg_catalog.string_agg(attname || ' ' || atttypid, ',' ORDER BY attname) AS structure
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

-- Those of which something is missing or out of date. `triggers`: the triggers themselves, not only their function.
CREATE VIEW flux.capture_pending AS
SELECT c.root, c.id, wrong.triggers
FROM flux.capturable c
LEFT JOIN flux.managed_tables m ON m.id = c.id
CROSS JOIN LATERAL (
    SELECT c.of_truncate <> pg_catalog.cardinality(c.relations)
        OR c.by_statement <> CASE WHEN c.by_row THEN 0 ELSE 3 * pg_catalog.cardinality(c.relations) END
        OR c.by_row_count <> CASE WHEN c.by_row THEN 3 ELSE 0 END AS triggers) wrong
WHERE m.id IS NULL OR wrong.triggers OR m.fingerprint <> c.fingerprint
   OR (m.schema, m.name, m.key) IS DISTINCT FROM (c.schema, c.name, c.key);

-- The id of a table in mutations: found by oid, else by name among those that are gone, else new.
CREATE FUNCTION flux.table_id(root oid, schema_ name, name_ name, key_ text[]) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id int;
BEGIN
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

-- How the columns of a table enter a mutation. In the texts chr(1) stands for the row's alias.
--   image     the select list of what goes through row_to_json; null when that may be the row itself
--   key       the key as JSON array, or null; the same for equal keys whatever the session's settings
--   changed   an array of the names of changed columns, of the rows o and n
--   settings  what the function must set for texts that read back unharmed; `salted`: needs the mask's key
CREATE FUNCTION flux.columns_captured(root oid, key_columns text[], masked text[], salt text,
    OUT image text, OUT key text, OUT changed text, OUT settings text, OUT salted bool)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    col record;
    ref text;
    part text;
    parts text[] := '{}';
    plain bool := true;
    key_parts text[] := array_fill(NULL::text, ARRAY[greatest(cardinality(key_columns), 1)]);
    differing text[] := '{}';
    simple bool;
    -- Their JSON text does not depend on the session's settings, and their equality is identity.
    exact CONSTANT oid[] := ARRAY['bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'text'::regtype,
        'varchar'::regtype, 'uuid'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'date'::regtype,
        'bytea'::regtype, 'time'::regtype, 'oid'::regtype, 'name'::regtype];
    -- The first half holds for these, too.
    stable CONSTANT oid[] := ARRAY['numeric'::regtype, 'bpchar'::regtype, 'json'::regtype, 'jsonb'::regtype,
        'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype, 'macaddr8'::regtype, 'bit'::regtype, 'varbit'::regtype,
        'timetz'::regtype, 'tsvector'::regtype, 'tsquery'::regtype, 'xml'::regtype, 'int4range'::regtype,
        'int8range'::regtype, 'numrange'::regtype, 'int4multirange'::regtype, 'int8multirange'::regtype,
        'nummultirange'::regtype, '"char"'::regtype];
    needs_utc bool := false;
    needs_styles bool := false;
    needs_money bool := false;
BEGIN
    salted := false;
    FOR col IN
        WITH RECURSIVE base (type, base) AS (
            SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
            UNION ALL
            SELECT d.oid, base.base FROM pg_type d JOIN base ON base.type = d.typbasetype WHERE d.typtype = 'd'
        )
        SELECT a.attname AS name, a.attname::text = ANY (masked) AS masked,
            coalesce(element.oid, t.oid) AS type, coalesce(element.typtype, t.typtype) AS typtype,
            coalesce(element.typname, t.typname) AS typname, element.oid IS NOT NULL AS is_array,
            EXISTS (SELECT FROM pg_cast c WHERE c.castsource = coalesce(element.oid, t.oid)
                AND c.casttarget = 'json'::regtype AND coalesce(element.oid, t.oid) >= 16384) AS own_json
        FROM pg_attribute a
        JOIN base ON base.type = a.atttypid
        JOIN pg_type t ON t.oid = base.base
        LEFT JOIN base element_base ON t.typcategory = 'A' AND element_base.type = t.typelem
        LEFT JOIN pg_type element ON element.oid = element_base.base
        WHERE a.attrelid = root AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    LOOP
        ref := chr(1) || '.' || quote_ident(col.name);
        simple := col.typtype = 'e' OR col.typname = 'citext' OR col.type = ANY (exact || stable);
        needs_utc := needs_utc OR col.type IN ('timestamptz'::regtype, 'tstzrange'::regtype, 'tstzmultirange'::regtype)
            OR NOT simple;
        needs_styles := needs_styles OR NOT simple;
        needs_money := needs_money OR col.type = 'money'::regtype OR col.typtype = 'c';
        part := ref;
        IF col.masked THEN
            part := format('''masked:'' || encode(sha256(%s || convert_to(%s::text, ''UTF8'')), ''hex'')', salt, ref);
            salted := true;
            needs_utc := true;
            needs_styles := true;
        ELSIF col.typtype = 'c' OR col.own_json THEN
            part := ref || '::text';
        -- A JSON null is a value, and no NULL.
        ELSIF col.type IN ('json'::regtype, 'jsonb'::regtype) AND NOT col.is_array THEN
            part := format('CASE %s_typeof(%s) WHEN ''null'' THEN ''{"$json":null}''::%1$s ELSE %2$s END', col.type::regtype, ref);
        END IF;
        plain := plain AND part = ref;
        parts := parts || (part || ' AS ' || quote_ident(col.name));

        IF col.name::text = ANY (key_columns) THEN
            key_parts[array_position(key_columns, col.name::text)] := CASE
                WHEN col.masked THEN format('to_json(%s)', part)
                WHEN col.is_array OR col.typtype NOT IN ('b', 'e') THEN format('to_json(%s::text)', ref)
                WHEN col.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN ref
                WHEN col.type = 'uuid'::regtype THEN format('''"'' || %s || ''"''', ref)
                WHEN col.type = 'numeric'::regtype THEN format('trim_scale(%s)', ref)
                WHEN col.typname = 'citext' THEN format('to_json(lower(%s::text))', ref)
                WHEN col.type IN ('bool'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'date'::regtype)
                    THEN format('to_json(%s)', ref)
                ELSE format('to_json(%s::text)', ref)
            END;
        END IF;

        differing := differing || format(
            CASE WHEN col.type = ANY (exact) AND NOT col.is_array OR col.typtype = 'e' AND NOT col.is_array
                THEN 'CASE WHEN o.%1$I IS DISTINCT FROM n.%1$I THEN %2$L END'
                ELSE 'CASE WHEN record_image_ne(ROW(o.%1$I), ROW(n.%1$I)) THEN %2$L END' END, col.name, col.name);
    END LOOP;
    image := CASE WHEN plain THEN NULL ELSE array_to_string(parts, ', ') END;
    IF cardinality(key_columns) > 0 THEN
        key := '''['' || ' || array_to_string(key_parts, ' || '','' || ') || ' || '']''';
    END IF;
    changed := format('array_remove(ARRAY[%s]::text[], NULL)', array_to_string(differing, ', '));
    settings := concat_ws(' ',
        CASE WHEN needs_utc THEN 'SET timezone = ''UTC''' END,
        CASE WHEN needs_styles THEN 'SET datestyle = ''ISO, YMD'' SET intervalstyle = ''postgres'' SET extra_float_digits = 1' END,
        CASE WHEN needs_money THEN 'SET lc_monetary = ''C''' END);
END $$;

-- The statement that writes the mutations of one kind of change, from `old_rows` and `new_rows`. `who`, `moment`: how the
-- identity and the time are written there.
--   insert, delete   of any number of rows
--   update           of one old and one new row; a row whose key changed is deleted here and made by `moved`
--   updates, moved   of any number, paired by their places in the two tables, which are filled side by side
CREATE FUNCTION flux.capture_statement(kind text, id int, columns text[], image text, key text, changed text,
    old_rows text, new_rows text, who text, moment text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    numbered CONSTANT text := '(SELECT *, row_number() OVER () AS "flux place" FROM %s)';
    list text := coalesce(image, (SELECT string_agg(chr(1) || '.' || quote_ident(c), ', ') FROM unnest(columns) c));
    old_key text := coalesce(replace(key, chr(1), 'o'), 'NULL::text');
    new_key text := coalesce(replace(key, chr(1), 'n'), 'NULL::text');
    same text := CASE WHEN key IS NULL THEN 'true' ELSE old_key || ' = ' || new_key END;
    source text;
    operation text := quote_literal(kind);
    row_key text := old_key;
    differing text := 'NULL::text[]';
    old_image text := 'NULL::json';
    new_image text := 'NULL::json';
BEGIN
    IF kind = 'insert' THEN
        row_key := new_key;
        source := new_rows || ' n' || coalesce(', LATERAL (SELECT ' || replace(image, chr(1), 'n') || ') x', '');
        new_image := CASE WHEN image IS NULL THEN 'row_to_json(n)' ELSE 'row_to_json(x)' END;
    ELSIF kind = 'delete' THEN
        source := old_rows || ' o' || coalesce(', LATERAL (SELECT ' || replace(image, chr(1), 'o') || ') x', '');
        old_image := CASE WHEN image IS NULL THEN 'row_to_json(o)' ELSE 'row_to_json(x)' END;
    ELSE
        source := CASE kind WHEN 'update' THEN old_rows || ' o CROSS JOIN ' || new_rows || ' n'
            ELSE format(numbered, old_rows) || ' o JOIN ' || format(numbered, new_rows)
                || ' n ON n."flux place" = o."flux place"' END
            || ' CROSS JOIN LATERAL (SELECT ' || replace(list, chr(1), 'o') || ') ox'
            || ' CROSS JOIN LATERAL (SELECT ' || replace(list, chr(1), 'n') || ') nx'
            -- OFFSET 0: worked out once, though it is named twice.
            || ' CROSS JOIN LATERAL (SELECT ' || changed || ' AS changed OFFSET 0) d WHERE d.changed <> ''{}''';
        differing := 'd.changed';
        IF kind = 'moved' THEN
            operation := '''insert''';
            row_key := new_key;
            source := source || ' AND NOT (' || same || ')';
            new_image := 'row_to_json(nx)';
        ELSE
            operation := 'CASE WHEN ' || same || ' THEN ''update'' ELSE ''delete'' END';
            old_image := 'row_to_json(ox)';
            new_image := 'CASE WHEN ' || same || ' THEN row_to_json(nx) END';
        END IF;
    END IF;
    RETURN concat(
        'INSERT INTO flux.mutations (at, id, row, request_id, transaction, table_id, span, operation, key, function, '
        'code_version, actor, tenant, changed, old, new) SELECT ', moment, ', nextval(''flux.mutation_ids''), '
        'hashtextextended(', row_key, ', ', id, '), ', who, '.request_id, pg_current_xact_id(), ', id, ', ', who, '.span, ',
        operation, ', ', row_key, ', ', who, '.function, ', who, '.version, ', who, '.actor, ', who, '.tenant, ',
        differing, ', ', old_image, ', ', new_image, ' FROM ', source);
END $$;

-- What a guarded function runs when its table has changed under it: statements for insert, delete, updates and moved,
-- with the identity, the time, the salt, OLD and NEW as parameters.
CREATE FUNCTION flux.capture_statements_now(relation oid, by_row bool) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_ record;
    part record;
BEGIN
    SELECT m.id, c.* INTO STRICT table_ FROM flux.capturable c JOIN flux.managed_tables m ON m.relation = c.root
    WHERE c.root = coalesce(pg_partition_root(capture_statements_now.relation), capture_statements_now.relation) AND m.dropped_at IS NULL;
    part := flux.columns_captured(table_.root, table_.key, table_.masked, '$3');
    RETURN (SELECT array_agg(flux.capture_statement(kind, table_.id, table_.columns, part.image, part.key, part.changed,
        CASE WHEN by_row THEN '(SELECT ($4).*)' ELSE 'old_rows' END,
        CASE WHEN by_row THEN '(SELECT ($5).*)' ELSE 'new_rows' END, '($1)', '$2') ORDER BY place)
        FROM unnest(ARRAY['insert', 'delete', 'updates', 'moved']) WITH ORDINALITY AS kinds (kind, place));
END $$;

-- The text of a table's trigger function.
CREATE FUNCTION flux.capture_function(id int, table_ flux.capturable) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record := flux.columns_captured(table_.root, table_.key, table_.masked, 'capture.salt');
    old_rows text := CASE WHEN table_.by_row THEN '(SELECT OLD.*)' ELSE 'old_rows' END;
    new_rows text := CASE WHEN table_.by_row THEN '(SELECT NEW.*)' ELSE 'new_rows' END;
    inserts text := flux.capture_statement('insert', id, table_.columns, part.image, part.key, part.changed,
        old_rows, new_rows, 'capture.who', 'capture.moment');
    deletes text := flux.capture_statement('delete', id, table_.columns, part.image, part.key, part.changed,
        old_rows, new_rows, 'capture.who', 'capture.moment');
    one text := flux.capture_statement('update', id, table_.columns, part.image, part.key, part.changed,
        old_rows, new_rows, 'capture.who', 'capture.moment');
    many text := flux.capture_statement('updates', id, table_.columns, part.image, part.key, part.changed,
        old_rows, new_rows, 'capture.who', 'capture.moment');
    moved text := flux.capture_statement('moved', id, table_.columns, part.image, part.key, part.changed,
        old_rows, new_rows, 'capture.who', 'capture.moment');
    with_moved text := CASE WHEN part.key IS NULL THEN '' ELSE concat('IF capture.moved THEN ', moved, '; END IF;') END;
    body text;
BEGIN
    body := concat(E'<<capture>>\nDECLARE\n    setting text := current_setting(''flux.identity'', true);\n'
        '    moment timestamptz := clock_timestamp();\n    who flux.identity;\n    salt bytea;\n'
        '    olds bigint;\n    news bigint;\n    moved bool;\n    statements text[];\nBEGIN\n',
        'IF capture.setting LIKE ''{%'' AND session_user = current_user AND current_setting(''role'') = ''none'' THEN '
        'capture.who := json_populate_record(NULL::flux.identity, capture.setting::json); '
        'ELSE capture.who := flux.attributed(capture.setting); END IF;', E'\n',
        CASE WHEN part.salted THEN E'capture.salt := (SELECT s.key FROM flux.secret s WHERE s.name = ''mask'');\n' END,
        'IF TG_OP = ''TRUNCATE'' THEN INSERT INTO flux.mutations (at, id, request_id, transaction, table_id, span, '
        'operation, function, code_version, actor, tenant) VALUES (capture.moment, nextval(''flux.mutation_ids''), '
        'capture.who.request_id, pg_current_xact_id(), ', id, ', capture.who.span, ''truncate'', capture.who.function, '
        'capture.who.version, capture.who.actor, capture.who.tenant); RETURN NULL; END IF;', E'\n');
    IF table_.guarded THEN
        body := concat(body, 'IF (SELECT string_agg(a.attname || '' '' || a.atttypid, '','' ORDER BY a.attname) FROM pg_attribute a '
            'WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) IS DISTINCT FROM ',
            quote_literal(table_.structure), ' THEN capture.statements := flux.capture_statements_now(TG_RELID, ', table_.by_row::text, '); ',
            'capture.salt := (SELECT s.key FROM flux.secret s WHERE s.name = ''mask''); ',
            'IF TG_OP = ''INSERT'' THEN EXECUTE capture.statements[1] USING capture.who, capture.moment, capture.salt, NULL::int, NEW; '
            'ELSIF TG_OP = ''DELETE'' THEN EXECUTE capture.statements[2] USING capture.who, capture.moment, capture.salt, OLD; ELSE ',
            'EXECUTE capture.statements[3] USING capture.who, capture.moment, capture.salt, OLD, NEW; '
            'EXECUTE capture.statements[4] USING capture.who, capture.moment, capture.salt, OLD, NEW; END IF; RETURN NULL; END IF;', E'\n');
    END IF;
    body := concat(body, 'IF TG_OP = ''INSERT'' THEN ', inserts, E';\nELSIF TG_OP = ''DELETE'' THEN ', deletes, E';\nELSE\n');
    IF table_.by_row THEN
        body := concat(body, one, ' RETURNING operation = ''delete'' INTO capture.moved; ', with_moved);
    ELSE
        body := concat(body,
            'SELECT (SELECT count(*) FROM old_rows), (SELECT count(*) FROM new_rows) INTO capture.olds, capture.news;',
            E'\nIF capture.olds = 1 AND capture.news = 1 THEN ', one, ' RETURNING operation = ''delete'' INTO capture.moved; ', with_moved,
            E'\nELSIF capture.olds = capture.news THEN IF capture.olds > 0 THEN ', many, '; ',
            CASE WHEN part.key IS NOT NULL THEN concat(
                'capture.moved := EXISTS (SELECT FROM old_rows o WHERE NOT EXISTS (SELECT FROM new_rows n WHERE ',
                (SELECT string_agg(format('n.%1$I = o.%1$I', k), ' AND ') FROM unnest(table_.key) k), ')); ', with_moved) END,
            ' END IF;',
            -- A trigger of the target partition kept a moved row out: whole states instead of pairs, which are unknown.
            E'\nELSE ', deletes, '; ', inserts, '; END IF;');
    END IF;
    RETURN format('CREATE OR REPLACE FUNCTION flux.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
        'SET search_path = pg_catalog, pg_temp %s AS %L', 'mutation_' || id, part.settings,
        concat(body, E'\nEND IF;\nRETURN NULL;\nEND'));
END $$;

-- Make the triggers of a table (given its root) what they should be. A table whose owner does not let Flux do it is left
-- alone, and says so in managed_tables.problem.
CREATE FUNCTION flux.manage(wanted oid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_ flux.capturable;
    table_id int;
    member oid;
    event text;
    obstacle text;
BEGIN
    PERFORM pg_advisory_xact_lock(1718384758);
    SELECT * INTO table_ FROM flux.capturable c WHERE c.root = wanted;
    IF NOT FOUND THEN
        RETURN 'not there';
    END IF;
    table_id := flux.table_id(wanted, table_.schema, table_.name, table_.key);
    EXECUTE flux.capture_function(table_id, table_);
    EXECUTE format('REVOKE ALL ON FUNCTION flux.%I() FROM PUBLIC', 'mutation_' || table_id);
    IF EXISTS (SELECT FROM flux.capture_pending p WHERE p.root = wanted AND p.triggers) THEN
        BEGIN
            FOREACH member IN ARRAY table_.relations LOOP
                PERFORM flux.unmanage(member);
            END LOOP;
            FOREACH member IN ARRAY table_.relations LOOP
                FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
                    CONTINUE WHEN table_.by_row AND member <> wanted;
                    EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s EXECUTE FUNCTION flux.%I()',
                        '!flux_mutation_' || event, event, member::regclass,
                        CASE WHEN table_.by_row THEN 'FOR EACH ROW' ELSE concat('REFERENCING',
                            CASE WHEN event <> 'insert' THEN ' OLD TABLE AS old_rows' END,
                            CASE WHEN event <> 'delete' THEN ' NEW TABLE AS new_rows' END,
                            ' FOR EACH STATEMENT') END,
                        'mutation_' || table_id);
                END LOOP;
                EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION flux.%I()',
                    '!flux_mutation_truncate', member::regclass, 'mutation_' || table_id);
            END LOOP;
        EXCEPTION WHEN insufficient_privilege OR lock_not_available OR object_in_use OR wrong_object_type THEN
            obstacle := SQLERRM;
        END;
    END IF;
    -- Without event triggers nobody else notes it.
    IF table_.guarded AND (SELECT m.structure <> '' AND m.structure <> table_.structure
                           FROM flux.managed_tables m WHERE m.id = table_id) THEN
        PERFORM flux.note_ddl(table_id, json_build_object('command', 'ALTER TABLE', 'type', 'table',
            'object', table_.schema || '.' || table_.name, 'noticed', 'afterwards'));
    END IF;
    UPDATE flux.managed_tables
    SET structure = table_.structure, fingerprint = table_.fingerprint, problem = obstacle WHERE id = table_id;
    RETURN obstacle;
END $$;
REVOKE ALL ON FUNCTION flux.manage(oid) FROM PUBLIC;

-- Take Flux's triggers off a table; clones on partitions go with their parent's.
CREATE FUNCTION flux.unmanage(relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    trigger_name name;
BEGIN
    FOR trigger_name IN SELECT tgname FROM pg_trigger
        WHERE tgrelid = relation AND tgname LIKE '!flux\_mutation\_%' AND tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, relation::regclass);
    END LOOP;
END $$;

-- One mutation for something that was done to a table's definition; `what` in the column `new`.
CREATE FUNCTION flux.note_ddl(table_id int, what json) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who flux.identity := flux.attributed(current_setting('flux.identity', true));
BEGIN
    INSERT INTO flux.mutations (at, id, request_id, transaction, table_id, span, operation, function, code_version,
        actor, tenant, new)
    VALUES (clock_timestamp(), nextval('flux.mutation_ids'), who.request_id, pg_current_xact_id(), coalesce(table_id, 0),
        who.span, 'ddl', who.function, who.version, who.actor, who.tenant, what);
END $$;

-- Event triggers (made by a superuser, if there is one): note DDL in the managed schemas, then manage what is new.
CREATE OR REPLACE FUNCTION flux.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    command record;
    relevant bool := false;
BEGIN
    FOR command IN
        SELECT c.command_tag AS tag, c.object_type, min(c.object_identity) AS identity,
            coalesce(i.indrelid, t.tgrelid, p.polrelid, c.objid) AS relation
        FROM pg_event_trigger_ddl_commands() WITH ORDINALITY AS c (classid, objid, objsubid, command_tag, object_type,
            schema_name, object_identity, in_extension, command, place)
        CROSS JOIN flux.capture
        LEFT JOIN pg_index i ON c.object_type = 'index' AND i.indexrelid = c.objid
        LEFT JOIN pg_trigger t ON c.object_type = 'trigger' AND t.oid = c.objid
        LEFT JOIN pg_policy p ON c.object_type = 'policy' AND p.oid = c.objid
        LEFT JOIN pg_class class ON class.oid = coalesce(i.indrelid, t.tgrelid, p.polrelid)
        WHERE NOT c.in_extension
          AND coalesce(c.schema_name, class.relnamespace::regnamespace::text) = ANY (capture.schemas)
          AND coalesce(c.schema_name, '') <> 'flux'
          AND (t.tgname IS NULL OR t.tgname NOT LIKE '!flux\_mutation\_%')
          AND c.object_type <> 'sequence'
        GROUP BY c.command_tag, c.object_type, relation
        ORDER BY min(c.place)
    LOOP
        relevant := true;
        PERFORM flux.note_ddl(
            (SELECT flux.table_id(r.root, r.schema, r.name, r.key) FROM flux.capturable r
             WHERE command.relation = ANY (r.relations)),
            json_build_object('command', command.tag, 'type', command.object_type, 'object', command.identity,
                'statement', left(current_query(), 65536)));
    END LOOP;
    IF relevant THEN
        PERFORM flux.manage(p.root) FROM flux.capture_pending p;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION flux.on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dropped record;
BEGIN
    FOR dropped IN
        SELECT d.object_type, d.object_identity, m.id
        FROM pg_event_trigger_dropped_objects() d
        CROSS JOIN flux.capture
        LEFT JOIN flux.managed_tables m ON d.object_type = 'table' AND m.relation = d.objid AND m.dropped_at IS NULL
        WHERE d.original AND NOT d.is_temporary AND TG_TAG LIKE 'DROP %' AND d.schema_name = ANY (capture.schemas)
          AND d.object_identity NOT LIKE '"!flux\_mutation\_%'
           OR m.id IS NOT NULL
    LOOP
        UPDATE flux.managed_tables SET dropped_at = clock_timestamp() WHERE id = dropped.id;
        PERFORM flux.note_ddl(dropped.id, json_build_object('command', TG_TAG, 'type', dropped.object_type,
            'object', dropped.object_identity, 'statement', left(current_query(), 65536)));
    END LOOP;
END $$;
