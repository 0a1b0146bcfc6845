-- Limits of keys, users and teams.
ALTER TABLE virtual_keys ADD COLUMN tokens_per_minute INTEGER CHECK (tokens_per_minute BETWEEN 1 AND 4294967295);
ALTER TABLE virtual_keys ADD COLUMN max_parallel INTEGER CHECK (max_parallel BETWEEN 1 AND 4294967295);

CREATE TABLE scope_limits (
    scope               TEXT    NOT NULL CHECK (scope IN ('user', 'team')),
    scope_id            TEXT    NOT NULL,
    requests_per_minute INTEGER CHECK (requests_per_minute BETWEEN 1 AND 4294967295),
    tokens_per_minute   INTEGER CHECK (tokens_per_minute BETWEEN 1 AND 4294967295),
    max_parallel        INTEGER CHECK (max_parallel BETWEEN 1 AND 4294967295),
    updated_at          INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    PRIMARY KEY (scope, scope_id)
) STRICT;
