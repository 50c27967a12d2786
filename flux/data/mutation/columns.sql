-- How the columns of a table enter a mutation; all but virtual ones, which transition tables do not have: to read them
-- from there is an error. In the texts chr(1) stands for the row's alias.
--   image     the select list of what goes through row_to_json; null when that may be the row itself (a partition may
--             have its root's columns in another order, and images are compared as text)
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
    plain bool := (SELECT c.relkind <> 'p' FROM pg_class c WHERE c.oid = root)
        AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = root AND attgenerated = 'v');
    key_parts text[] := array_fill(NULL::text, ARRAY[greatest(cardinality(key_columns), 1)]);
    differing text[] := '{}';
    simple bool;
    -- Their JSON text does not depend on the session's settings (but for bytea), and their equality is identity.
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
    needs_hex bool := false;
    needs_money bool := false;
BEGIN
    salted := false;
    FOR col IN
        -- Of the columns' types: from a domain down to its base, and on to the elements of an array.
        WITH RECURSIVE step (type, base) AS (
            SELECT atttypid, atttypid FROM pg_attribute WHERE attrelid = root AND attnum > 0 AND NOT attisdropped
            UNION
            SELECT CASE WHEN t.typtype = 'd' THEN step.type ELSE t.typelem END,
                CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
            FROM step JOIN pg_type t ON t.oid = step.base AND (t.typtype = 'd' OR t.typcategory = 'A')
        ), base AS MATERIALIZED (
            SELECT step.type, step.base FROM step JOIN pg_type t ON t.oid = step.base AND t.typtype <> 'd'
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
        WHERE a.attrelid = root AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
        ORDER BY a.attnum
    LOOP
        ref := chr(1) || '.' || quote_ident(col.name);
        simple := col.typtype = 'e' OR col.typname = 'citext' OR col.type = ANY (exact || stable);
        needs_utc := needs_utc OR col.type IN ('timestamptz'::regtype, 'tstzrange'::regtype, 'tstzmultirange'::regtype)
            OR NOT simple;
        needs_styles := needs_styles OR NOT simple;
        needs_hex := needs_hex OR col.type = 'bytea'::regtype OR NOT simple;
        needs_money := needs_money OR col.type = 'money'::regtype OR col.typtype = 'c';
        part := ref;
        IF col.masked THEN
            part := format('''masked:'' || encode(sha256(%s || convert_to(%s::text, ''UTF8'')), ''hex'')', salt, ref);
            salted := true;
            needs_utc := true;
            needs_styles := true;
        -- An array of json: whether [[1]] has one dimension or two, and null is a value, its text alone says.
        ELSIF col.typtype = 'c' OR col.own_json OR col.is_array AND col.type IN ('json'::regtype, 'jsonb'::regtype) THEN
            part := ref || '::text';
        -- A JSON null is a value, and no NULL.
        ELSIF col.type IN ('json'::regtype, 'jsonb'::regtype) THEN
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
        CASE WHEN needs_hex THEN 'SET bytea_output = ''hex''' END,
        CASE WHEN needs_money THEN 'SET lc_monetary = ''C''' END);
END $$;
