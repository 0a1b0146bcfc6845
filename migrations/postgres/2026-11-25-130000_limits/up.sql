-- Limits of keys, users and teams.
ALTER TABLE virtual_keys
    ADD COLUMN tokens_per_minute BIGINT CHECK (tokens_per_minute BETWEEN 1 AND 4294967295),
    ADD COLUMN max_parallel      BIGINT CHECK (max_parallel BETWEEN 1 AND 4294967295);

CREATE TABLE scope_limits (
    scope               TEXT        NOT NULL CHECK (scope IN ('user', 'team')),
    scope_id            TEXT        NOT NULL,
    requests_per_minute BIGINT      CHECK (requests_per_minute BETWEEN 1 AND 4294967295),
    tokens_per_minute   BIGINT      CHECK (tokens_per_minute BETWEEN 1 AND 4294967295),
    max_parallel        BIGINT      CHECK (max_parallel BETWEEN 1 AND 4294967295),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, scope_id)
);

CREATE TRIGGER scope_limits_updated BEFORE UPDATE ON scope_limits
    FOR EACH ROW EXECUTE FUNCTION gateway_note_update();
