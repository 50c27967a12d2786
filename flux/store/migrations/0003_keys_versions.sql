-- API keys: the secret's SHA-256, never the secret.
CREATE TABLE flux.api_keys (
    id             text        PRIMARY KEY,
    name           text        NOT NULL,
    tenant         text,
    secret_sha256  bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at     timestamptz
);

-- Every version of a function that was ever live here. Two functions may share a bundle, hence both columns.
CREATE TABLE flux.function_versions (
    version     text        NOT NULL,
    name        text        NOT NULL,
    source      text        NOT NULL,
    spec        json        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, name)
);

-- The project's own migrations, applied by Flux in order, once each.
CREATE TABLE flux.project_migrations (
    name        text        PRIMARY KEY,
    sha256      text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
