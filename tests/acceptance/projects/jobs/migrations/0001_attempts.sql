CREATE TABLE attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
