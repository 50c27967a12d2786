-- The record: one row per execution, its spans packed into one JSON value (docs/RECORD.md says why), by day.
--
-- json, not jsonb: the text is kept byte for byte, key order included, and \u0000 or a lone surrogate, which jsonb
-- refuses, are merely text. Columns are in the order of flux/record/row.py, whose tuples COPY takes as they are.
CREATE TABLE flux.executions (
    request_id         uuid        NOT NULL,
    parent_request_id  uuid,
    replay_of          uuid,
    kind               text        NOT NULL,
    tenant             text,
    method             text        NOT NULL,
    path               text        NOT NULL,
    route              text        NOT NULL,
    function           text,
    code_version       text,
    status             smallint    NOT NULL,
    error              json,
    started_at         timestamptz NOT NULL,
    duration_us        bigint      NOT NULL,
    seed               bytea,
    request            json,
    input              json,
    output             json,
    spans              json        NOT NULL,
    logs               json,
    PRIMARY KEY (request_id, started_at)
) PARTITION BY RANGE (started_at);

-- Values of rows over 2 KB are compressed; lz4 costs a fraction of pglz, where the server was built with it.
DO $$
BEGIN
    ALTER TABLE flux.executions
        ALTER request SET COMPRESSION lz4, ALTER input SET COMPRESSION lz4, ALTER output SET COMPRESSION lz4,
        ALTER spans SET COMPRESSION lz4, ALTER logs SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

-- Newest first, the whole list and one function's.
CREATE INDEX executions_newest ON flux.executions (started_at);
CREATE INDEX executions_of_function ON flux.executions (function, started_at);
-- The condition is the definition of "error" for listings and for retention: flux/store/partitions.py repeats it.
CREATE INDEX executions_failed ON flux.executions (started_at) WHERE status >= 500;
-- Asynchronous branches of an execution.
CREATE INDEX executions_children ON flux.executions (parent_request_id) WHERE parent_request_id IS NOT NULL;

-- Rows that Postgres refused (flux/store/copy.py): kept as they came, so that even a defect of ours loses nothing.
CREATE TABLE flux.refused_rows (
    digest      bytea       PRIMARY KEY,
    refused_at  timestamptz NOT NULL DEFAULT now(),
    reason      text        NOT NULL,
    tuple       bytea       NOT NULL
);

-- Journal records of executions that are still open, moved here when the ring needs the space (flux/store/spill.py).
CREATE TABLE flux.open_records (
    execution_id  uuid     NOT NULL,
    position      bigint   NOT NULL,
    node          text     NOT NULL,
    kind          smallint NOT NULL,
    payload       bytea    NOT NULL,
    PRIMARY KEY (execution_id, position)
);
