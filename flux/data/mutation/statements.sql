-- The statement that writes the mutations of one kind of change, from `old_rows` and `new_rows`. `who`, `moment`: how the
-- identity and the time are written there.
--   insert, delete   of any number of rows
--   update           of one old and one new row; a row whose key changed is deleted here and made by `moved`
--   updates, moved   of any number, paired by their places in the two tables, which are filled side by side
CREATE FUNCTION flux.capture_statement(kind text, id int, columns text[], image text, key text, changed text,
    old_rows text, new_rows text, who text, moment text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    numbered CONSTANT text := concat('(SELECT ', (SELECT string_agg(format('r.%I, ', c), '') FROM unnest(columns) c),
        'row_number() OVER () AS "flux place" FROM ');
    -- Empty for a table without columns.
    list text := coalesce(image, (SELECT string_agg(chr(1) || '.' || quote_ident(c), ', ') FROM unnest(columns) c), '');
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
        new_image := CASE WHEN image IS NULL THEN 'row_to_json(n.*)' ELSE 'row_to_json(x.*)' END;
    ELSIF kind = 'delete' THEN
        source := old_rows || ' o' || coalesce(', LATERAL (SELECT ' || replace(image, chr(1), 'o') || ') x', '');
        old_image := CASE WHEN image IS NULL THEN 'row_to_json(o.*)' ELSE 'row_to_json(x.*)' END;
    ELSE
        source := CASE kind WHEN 'update' THEN old_rows || ' o CROSS JOIN ' || new_rows || ' n'
            ELSE concat(numbered, old_rows, ' AS r) o JOIN ', numbered, new_rows,
                ' AS r) n ON n."flux place" = o."flux place"') END
            || ' CROSS JOIN LATERAL (SELECT ' || replace(list, chr(1), 'o') || ') ox'
            || ' CROSS JOIN LATERAL (SELECT ' || replace(list, chr(1), 'n') || ') nx'
            -- OFFSET 0: worked out once, though it is named twice.
            || ' CROSS JOIN LATERAL (SELECT ' || changed || ' AS changed OFFSET 0) d WHERE d.changed <> ''{}''';
        differing := 'd.changed';
        IF kind = 'moved' THEN
            operation := '''insert''';
            row_key := new_key;
            source := source || ' AND NOT (' || same || ')';
            new_image := 'row_to_json(nx.*)';
        ELSE
            operation := 'CASE WHEN ' || same || ' THEN ''update'' ELSE ''delete'' END';
            old_image := 'row_to_json(ox.*)';
            new_image := 'CASE WHEN ' || same || ' THEN row_to_json(nx.*) END';
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
        body := concat(body, 'IF (SELECT bit_xor(hashtextextended(a.attname || a.attgenerated::text, a.atttypid::int8)) FROM pg_attribute a '
            'WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) IS DISTINCT FROM ',
            quote_nullable(table_.structure_hash), '::int8 THEN capture.statements := flux.capture_statements_now(TG_RELID, ', table_.by_row::text, '); ',
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
            E'\nELSIF capture.olds = capture.news THEN IF capture.olds > 0 THEN ',
            -- Asked of the pairs: keys that change places are among the new rows' keys all the same.
            CASE WHEN part.key IS NULL THEN concat(many, '; ') ELSE concat(
                'WITH written AS (', many, ' RETURNING operation) '
                'SELECT EXISTS (SELECT FROM written WHERE operation = ''delete'') INTO capture.moved; ', with_moved) END,
            ' END IF;',
            -- A trigger of the target partition kept a moved row out: whole states instead of pairs, which are unknown.
            E'\nELSE ', deletes, '; ', inserts, '; END IF;');
    END IF;
    RETURN format('CREATE OR REPLACE FUNCTION flux.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
        'SET search_path = pg_catalog, pg_temp %s AS %L', 'mutation_' || id, part.settings,
        concat(body, E'\nEND IF;\nRETURN NULL;\nEND'));
END $$;
