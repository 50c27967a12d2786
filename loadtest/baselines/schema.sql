-- The FastAPI baseline's tables: the same users table as loadtest/project, a job queue, and the exported spans.
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    plan text NOT NULL
);

CREATE TABLE jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    function text NOT NULL,
    payload jsonb NOT NULL,
    run_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE spans (
    trace_id uuid NOT NULL,
    span_id bigint NOT NULL,
    parent_id bigint,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    started_at timestamptz NOT NULL,
    duration_us bigint NOT NULL,
    attributes jsonb NOT NULL
);

-- A record that cannot be found by its ID is no record: any store of traces has this index.
CREATE INDEX spans_by_trace ON spans (trace_id);
