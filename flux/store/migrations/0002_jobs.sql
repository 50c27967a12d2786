-- The queue. states: queued -> running -> done | dead | queued again; queued -> cancelled.
CREATE TABLE flux.jobs (
    job_id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    function           text        NOT NULL,
    payload            json        NOT NULL,
    tenant             text,
    parent_request_id  uuid,
    state              text        NOT NULL DEFAULT 'queued'
                                   CHECK (state IN ('queued', 'running', 'done', 'dead', 'cancelled')),
    priority           smallint    NOT NULL DEFAULT 0,
    attempts           smallint    NOT NULL DEFAULT 0,
    max_attempts       smallint    NOT NULL CHECK (max_attempts > 0),
    run_at             timestamptz NOT NULL,
    lease_until        timestamptz,
    -- The executions of its attempts, in order; an ID is made when the attempt is claimed.
    request_ids        uuid[]      NOT NULL DEFAULT '{}',
    idempotency_key    text,
    -- One object per failed attempt. json[], not jsonb: an error message may hold \u0000.
    errors             json[]      NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    finished_at        timestamptz
) WITH (
    -- Every job is updated twice and deleted once: clean up after thousands of rows, not after a fifth of the table.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX jobs_due ON flux.jobs (priority DESC, run_at) WHERE state = 'queued';
CREATE INDEX jobs_leased ON flux.jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_finished ON flux.jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_newest ON flux.jobs (created_at);
CREATE INDEX jobs_children ON flux.jobs (parent_request_id) WHERE parent_request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_once ON flux.jobs (function, tenant, idempotency_key) NULLS NOT DISTINCT
    WHERE idempotency_key IS NOT NULL;
