-- What reading the mutations needs of a table's definition (flux/store/mutations/state.py); applied with capture.sql.
-- Whoever calls these has set TimeZone, DateStyle and IntervalStyle as the trigger functions do.

DROP FUNCTION IF EXISTS flux.key_of, flux.current_rows, flux.literals CASCADE;

-- The key of the row with these values of its key columns, in their order, as mutations have it. Raises what casting
-- the values does.
CREATE FUNCTION flux.key_of(wanted int, given text[]) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex' AS $$
DECLARE
    table_ record;
    result text;
BEGIN
    -- The key's columns are called what the catalogue says: managed_tables learns of a rename later where there are no
    -- event triggers.
    SELECT m.relation, key.columns AS key, ARRAY(SELECT k."column"::text FROM flux.masked_columns k
        WHERE k.schema = m.schema AND k."table" = m.name) AS masked
    INTO table_ FROM flux.managed_tables m
    CROSS JOIN LATERAL (
        SELECT array_agg(a.attname::text ORDER BY k.place) AS columns
        FROM pg_constraint con
        CROSS JOIN LATERAL unnest(con.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.number
        WHERE con.conrelid = m.relation AND con.contype = 'p') key
    WHERE m.id = wanted AND m.dropped_at IS NULL AND cardinality(key.columns) = cardinality(given);
    IF NOT FOUND THEN
        -- Dropped, or it had another key: its types are gone; whole numbers were numbers, nearly always.
        RETURN (SELECT '[' || string_agg(CASE WHEN v ~ '^-?\d{1,18}$' THEN v ELSE to_json(v)::text END, ',' ORDER BY place) || ']'
                FROM unnest(given) WITH ORDINALITY AS values (v, place));
    END IF;
    EXECUTE (
        SELECT concat('SELECT ', replace((flux.columns_captured(table_.relation, table_.key, table_.masked,
                '(SELECT s.key FROM flux.secret s WHERE s.name = ''mask'')')).key, chr(1), 'v'),
            ' FROM (SELECT ', string_agg(format('($1)[%s]::%s AS %I', place, format_type(a.atttypid, a.atttypmod), k.name), ', '), ') v')
        FROM unnest(table_.key) WITH ORDINALITY AS k (name, place)
        JOIN pg_attribute a ON a.attrelid = table_.relation AND a.attname = k.name
    ) INTO result USING given;
    RETURN result;
END $$;
REVOKE ALL ON FUNCTION flux.key_of(int, text[]) FROM PUBLIC;

-- A query for the table's rows of now: `key` and `image` as mutations have them. $1 the mask's key; with `one` for the row
-- whose key's columns have the values $2, a text[]. Null when there is no such table any more.
CREATE FUNCTION flux.current_rows(wanted int, one bool) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_ flux.capturable;
    part record;
    list text;
BEGIN
    SELECT * INTO table_ FROM flux.capturable c WHERE c.id = wanted;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    part := flux.columns_captured(table_.root, table_.key, table_.masked, '$1::bytea');
    list := coalesce(part.image, (SELECT string_agg(chr(1) || '.' || quote_ident(c), ', ') FROM unnest(table_.columns) c), '');
    RETURN concat('SELECT ', coalesce(replace(part.key, chr(1), 't'), 'NULL::text'), ' AS key, row_to_json(x.*) AS image FROM ',
        table_.root::regclass, ' t, LATERAL (SELECT ', replace(list, chr(1), 't'), ') x WHERE $1::bytea IS NOT NULL', (
            SELECT string_agg(format(' AND t.%I = ($2::text[])[%s]::%s', k.name, place, format_type(a.atttypid, a.atttypmod)), '')
            FROM unnest(table_.key) WITH ORDINALITY AS k (name, place)
            JOIN pg_attribute a ON a.attrelid = table_.root AND a.attname = k.name WHERE one));
END $$;

-- The columns of a row's image as literals, for the columns that the table has now and that may be written. NULL for one
-- that the image does not have, 'NULL' for a null. `fixed`: an identity column that UPDATE must not name.
CREATE FUNCTION flux.literals(relation oid, image json)
RETURNS TABLE (name text, literal text, fixed bool, key bool)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    col record;
    value json;
BEGIN
    FOR col IN
        WITH RECURSIVE base (type, base) AS (
            SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
            UNION ALL
            SELECT d.oid, base.base FROM pg_type d JOIN base ON base.type = d.typbasetype WHERE d.typtype = 'd'
        )
        SELECT a.attname::text AS name, t.typcategory = 'A' AS is_array, t.oid AS type, a.attidentity = 'a' AS fixed,
            EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'p'
                AND a.attnum = ANY (c.conkey)) AS key
        FROM pg_attribute a JOIN base ON base.type = a.atttypid JOIN pg_type t ON t.oid = base.base
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum
    LOOP
        name := col.name;
        fixed := col.fixed;
        key := col.key;
        value := image -> col.name;
        IF value IS NULL THEN
            literal := NULL;
        ELSIF json_typeof(value) = 'null' THEN
            literal := 'NULL';
        ELSIF col.type IN ('json'::regtype, 'jsonb'::regtype) THEN
            literal := quote_literal(CASE WHEN value::text = '{"$json": null}' OR value::text = '{"$json":null}' THEN 'null'
                ELSE value::text END);
        ELSIF col.is_array AND json_typeof(value) = 'array' THEN
            EXECUTE format('SELECT quote_literal(j.v::text) FROM json_to_record(json_build_object(''v'', $1)) AS j (v %s)',
                format_type(col.type, NULL)) INTO literal USING value;
        ELSE
            literal := quote_literal(image ->> col.name);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
