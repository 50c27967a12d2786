-- Mutations: one row for each row that anything changed in the team's tables (docs/STATE.md), by week.
--
-- For other migrations:
--   flux.hmac(key bytea, message bytea) RETURNS bytea   HMAC-SHA-256 (RFC 2104), immutable, any key length.
--   flux.secret(name text PRIMARY KEY, key bytea)       32 random bytes each; readable by the owner of schema flux only,
--                                                       hence by its SECURITY DEFINER functions. Here: 'identity', 'mask'.

CREATE TABLE flux.secret (
    name  text   PRIMARY KEY,
    key   bytea  NOT NULL
);
REVOKE ALL ON flux.secret FROM PUBLIC;
-- Two UUIDs hold 244 random bits of the server's strong source.
INSERT INTO flux.secret (name, key)
SELECT name, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
FROM unnest(ARRAY['identity', 'mask']) AS name;

CREATE FUNCTION flux.hmac(key bytea, message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    IF length(key) > 64 THEN
        key := sha256(key);
    END IF;
    FOR at IN 0 .. length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, at, get_byte(key, at) # 54);
        outer_pad := set_byte(outer_pad, at, get_byte(key, at) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;

-- The tables whose changes are recorded. `id` outlives a rename (found again by oid) and a dump and restore, or being
-- dropped and made anew (found again by name). `key`: the primary key's columns. `structure`: all columns and their
-- types. `fingerprint`: of what the generated trigger function depends on. `problem`: why the table is not recorded.
CREATE TABLE flux.managed_tables (
    id           int          PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    relation     oid          NOT NULL,
    schema       name         NOT NULL,
    name         name         NOT NULL,
    key          text[]       NOT NULL DEFAULT '{}',
    structure    text         NOT NULL DEFAULT '',
    fingerprint  text         NOT NULL DEFAULT '',
    problem      text,
    since        timestamptz  NOT NULL DEFAULT now(),
    dropped_at   timestamptz
);
CREATE INDEX managed_tables_by_name ON flux.managed_tables (name, schema);

-- Columns that enter mutations as salted hashes only; filled by the policies.
CREATE TABLE flux.masked_columns (
    schema  name  NOT NULL,
    "table" name  NOT NULL,
    "column" name NOT NULL,
    PRIMARY KEY (schema, "table", "column")
);

-- What capture is set to: one row. `unmanaged`: tables left alone, as "table" or "schema.table". `code`: the version of
-- its functions. `home`: the database that the oids of managed_tables are from.
CREATE TABLE flux.capture (
    only_row   bool    PRIMARY KEY DEFAULT true CHECK (only_row),
    unmanaged  text[]  NOT NULL DEFAULT '{}',
    schemas    text[]  NOT NULL DEFAULT '{}',
    code       text    NOT NULL DEFAULT '',
    home       text    NOT NULL DEFAULT ''
);
INSERT INTO flux.capture DEFAULT VALUES;

-- What flux.identity holds, as JSON (flux/data/mutation/identity.py).
CREATE TYPE flux.identity AS (
    request_id uuid, span int, function text, version text, actor text, tenant text, until bigint
);

-- `id` is the order in which changes took effect: of one row always, as a writer holds its lock until the commit.
-- `row` hashes (table, key): keys may be longer than an index entry. `key`: JSON array of the primary key's values.
-- `old`, `new`: the row as JSON text; json, not jsonb, keeps numbers digit for digit.
CREATE SEQUENCE flux.mutation_ids;
CREATE TABLE flux.mutations (
    at            timestamptz  NOT NULL,
    id            bigint       NOT NULL,
    row           bigint,
    request_id    uuid,
    transaction   xid8         NOT NULL,
    table_id      int          NOT NULL,
    span          int,
    operation     text         NOT NULL,
    key           text,
    function      text,
    code_version  text,
    actor         text,
    tenant        text,
    changed       text[],
    old           json,
    new           json
) PARTITION BY RANGE (at);

DO $$
BEGIN
    ALTER TABLE flux.mutations ALTER old SET COMPRESSION lz4, ALTER new SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

-- A row's history; what a request changed; what happened to a table.
CREATE INDEX mutations_of_row ON flux.mutations (row, at) WHERE row IS NOT NULL;
CREATE INDEX mutations_of_request ON flux.mutations (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX mutations_of_table ON flux.mutations (table_id, at);
-- What hides rows (flux/store/mutations/state.py); next to nothing is in it.
CREATE INDEX mutations_of_definition ON flux.mutations (table_id, at) WHERE operation IN ('truncate', 'ddl');

-- Takes the weeks that nobody made a partition for: the team's writes must not fail because Flux has not run for a week.
CREATE TABLE flux.mutations_rest PARTITION OF flux.mutations DEFAULT;

-- How many versions each row had in weeks that were dropped, so that its numbers go on (flux/store/mutations/weeks.py).
CREATE TABLE flux.dropped_versions (
    row       bigint  PRIMARY KEY,
    versions  bigint  NOT NULL
);
