-- As before, with every name qualified: it runs under the search path of raw SQL, which may hold a schema where everybody
-- may make functions (public, in databases that come from Postgres 14).
CREATE OR REPLACE FUNCTION flux_auth.fit_list(path text[], sample anyarray) RETURNS anyarray
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
DECLARE
    list jsonb := pg_catalog.jsonb_extract_path(flux_auth.facts(), VARIADIC path);
BEGIN
    IF (pg_catalog.jsonb_typeof(list) OPERATOR(pg_catalog.=) 'array') IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    sample := ARRAY(
        SELECT value FROM pg_catalog.jsonb_array_elements_text(list) WITH ORDINALITY AS e (value, at) ORDER BY at
    );
    RETURN sample;
EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
    RETURN NULL;
END $$;
