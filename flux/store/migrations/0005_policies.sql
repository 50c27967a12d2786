-- Policies: every version of each table's document; at most one of them is active. A table without an active one is open
-- to all.
CREATE TABLE flux.policies (
    table_name  text         NOT NULL,
    version     int          NOT NULL,
    document    json         NOT NULL,
    source      text         NOT NULL CHECK (source IN ('file', 'api')),
    active      bool         NOT NULL,
    created_by  text,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, version)
);
CREATE UNIQUE INDEX policies_active ON flux.policies (table_name) WHERE active;

-- What Postgres was last brought to (flux/store/protection.py): one row. `state`: a hash of what it then looked like.
-- `claimed`: tables whose row-level security is Flux's. `warnings`: what raw SQL cannot have, and why.
CREATE TABLE flux.protection (
    only_row  bool    PRIMARY KEY DEFAULT true CHECK (only_row),
    state     text    NOT NULL DEFAULT '',
    claimed   oid[]   NOT NULL DEFAULT '{}',
    warnings  text[]  NOT NULL DEFAULT '{}'
);
INSERT INTO flux.protection DEFAULT VALUES;

-- The role that policies know a key's requests by.
ALTER TABLE flux.api_keys ADD COLUMN role text NOT NULL DEFAULT 'authenticated';

-- Who asks, for raw SQL: flux/data/policy/rls/token.py. The key is readable by the owner of schema flux only.
INSERT INTO flux.secret (name, key)
SELECT 'auth', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE SCHEMA flux_auth;
GRANT USAGE ON SCHEMA flux_auth TO PUBLIC;

-- The signature of a content for this backend and this transaction only.
CREATE FUNCTION flux_auth.signature(content text) RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(flux.hmac(
        key, convert_to(pg_backend_pid() || ' ' || extract(epoch FROM now())::text || ' ' || content, 'UTF8')
    ), 'hex')
    FROM flux.secret WHERE name = 'auth'
$$;
REVOKE ALL ON FUNCTION flux_auth.signature(text) FROM PUBLIC;

-- Takes a token: "<hex HMAC of the rest>.<base64 of JSON>".
CREATE FUNCTION flux_auth.enter(token text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payload text := split_part(token, '.', 2);
    signed boolean;
    content jsonb;
    facts text;
BEGIN
    SELECT sha256(convert_to(encode(flux.hmac(key, convert_to(payload, 'UTF8')), 'hex'), 'UTF8'))
        = sha256(convert_to(split_part(token, '.', 1), 'UTF8'))
    INTO signed FROM flux.secret WHERE name = 'auth';
    IF signed IS NOT TRUE THEN
        RAISE EXCEPTION 'This is no token of Flux.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    content := convert_from(decode(payload, 'base64'), 'UTF8')::jsonb;
    IF (content ->> 'pid')::int <> pg_backend_pid() OR (content ->> 'until')::bigint < extract(epoch FROM now()) THEN
        RAISE EXCEPTION 'This token is of another connection or another time.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    facts := (content - '{pid,until,identity}'::text[])::text;
    PERFORM set_config('flux.auth', flux_auth.signature(facts) || facts, true);
    PERFORM set_config('flux.identity', coalesce(content ->> 'identity', ''), true);
END $$;

-- The verified facts of who asks, NULL when there are none. A signature has 64 letters.
CREATE FUNCTION flux_auth.facts() RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    setting text := current_setting('flux.auth', true);
    content text := substr(setting, 65);
BEGIN
    IF content IS NULL OR content = '' THEN
        RETURN NULL;
    END IF;
    -- Hashed once more, so that the time a comparison takes says nothing about the signature.
    IF sha256(convert_to(left(setting, 64), 'UTF8')) = sha256(convert_to(flux_auth.signature(content), 'UTF8')) THEN
        RETURN content::jsonb;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION flux_auth.fact(path text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$
    SELECT flux_auth.facts() #>> path
$$;

CREATE FUNCTION flux_auth.uid() RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$ SELECT flux_auth.facts() ->> 'uid' $$;

CREATE FUNCTION flux_auth.role() RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$ SELECT flux_auth.facts() ->> 'role' $$;

CREATE FUNCTION flux_auth.tenant() RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$ SELECT flux_auth.facts() ->> 'tenant' $$;

CREATE FUNCTION flux_auth.claims() RETURNS jsonb LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$ SELECT flux_auth.facts() -> 'claims' $$;

-- A fact as a value of the type of `sample`; NULL where it does not fit.
CREATE FUNCTION flux_auth.fit(path text[], sample anyelement) RETURNS anyelement
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
BEGIN
    sample := flux_auth.fact(path);
    RETURN sample;
EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
    RETURN NULL;
END $$;

-- A list among the facts as an array; NULL where it is none, or where an element does not fit.
CREATE FUNCTION flux_auth.fit_list(path text[], sample anyarray) RETURNS anyarray
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
BEGIN
    IF jsonb_typeof(flux_auth.facts() #> path) IS DISTINCT FROM 'array' THEN
        RETURN NULL;
    END IF;
    sample := ARRAY(
        SELECT value FROM jsonb_array_elements_text(flux_auth.facts() #> path) WITH ORDINALITY AS e (value, at) ORDER BY at
    );
    RETURN sample;
EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
    RETURN NULL;
END $$;
