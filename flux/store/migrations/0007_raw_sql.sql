-- As whom raw SQL runs (flux/store/protection.py). `login`: the Postgres role, NULL when there is none, `problem` says why.
-- `single`: it alone stands for all roles. `whole`: it may write and read all that Flux' own user may; without policies
-- raw SQL runs as this login only then.
ALTER TABLE flux.protection
    ADD COLUMN login text, ADD COLUMN single bool NOT NULL DEFAULT false, ADD COLUMN whole bool NOT NULL DEFAULT false,
    ADD COLUMN problem text NOT NULL DEFAULT '';
-- Now by relation, as JSON.
UPDATE flux.protection SET state = '';

-- The content of "<hex HMAC of the rest>.<base64 of JSON>" made by flux/data/policy/rls/token.py, if it is for this
-- backend and not too old.
CREATE FUNCTION flux_auth.verified(token text) RETURNS json
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payload text := split_part(token, '.', 2);
    signed boolean;
    content json;
BEGIN
    SELECT sha256(convert_to(encode(flux.hmac(key, convert_to(payload, 'UTF8')), 'hex'), 'UTF8'))
        = sha256(convert_to(split_part(token, '.', 1), 'UTF8'))
    INTO signed FROM flux.secret WHERE name = 'auth';
    IF signed IS NOT TRUE THEN
        RAISE EXCEPTION 'This is no token of Flux.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    content := convert_from(decode(payload, 'base64'), 'UTF8');
    IF (content ->> 'pid')::int <> pg_backend_pid() OR (content ->> 'until')::bigint < extract(epoch FROM now()) THEN
        RAISE EXCEPTION 'This token is of another connection or another time.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN content;
END $$;
REVOKE ALL ON FUNCTION flux_auth.verified(text) FROM PUBLIC;

-- A job of a transaction that raw SQL is part of: its login has no rights on flux.jobs. Does what flux/store/sql/job_push
-- and job_push_once do. Payload and caller are JSON within text: numbers keep their digits, and \u0000 is allowed.
CREATE FUNCTION flux_auth.push(token text) RETURNS uuid
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job json := flux_auth.verified(token) -> 'job';
    pushed uuid;
BEGIN
    IF job IS NULL THEN
        RAISE EXCEPTION 'This token is not for a job.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO flux.jobs (job_id, function, payload, parent_request_id, tenant, run_at, priority, max_attempts, caller,
        idempotency_key)
    VALUES ((job ->> 'job_id')::uuid, job ->> 'function', (job ->> 'payload')::json, (job ->> 'parent_request_id')::uuid,
        job ->> 'tenant', statement_timestamp() + (job ->> 'delay_ms')::float8 * interval '1 ms',
        (job ->> 'priority')::smallint, (job ->> 'max_attempts')::smallint, (job ->> 'caller')::json,
        job ->> 'idempotency_key')
    ON CONFLICT (function, tenant, idempotency_key) WHERE idempotency_key IS NOT NULL
        DO UPDATE SET idempotency_key = excluded.idempotency_key
    RETURNING job_id INTO pushed;
    RETURN pushed;
END $$;

-- A token to enter with is not one to push with, nor the other way round.
CREATE OR REPLACE FUNCTION flux_auth.enter(token text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    content jsonb := flux_auth.verified(token)::jsonb;
    facts text;
BEGIN
    IF content ? 'job' THEN
        RAISE EXCEPTION 'This token is for a job.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    facts := (content - '{pid,until,identity}'::text[])::text;
    PERFORM set_config('flux.auth', flux_auth.signature(facts) || facts, true);
    PERFORM set_config('flux.identity', coalesce(content ->> 'identity', ''), true);
END $$;
