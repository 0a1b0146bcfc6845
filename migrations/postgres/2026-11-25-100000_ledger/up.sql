-- Money that is counted has twelve decimals, exact for any price; limits have nine, prices six.

ALTER TABLE virtual_keys
    ADD COLUMN budget_period TEXT NOT NULL DEFAULT 'month' CHECK (budget_period IN ('total', 'day', 'week', 'month')),
    -- By the clock of the database, whoever changed the row: replicas ask what changed since they last looked.
    ADD COLUMN changed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp();

CREATE INDEX virtual_keys_changed_at ON virtual_keys (changed_at);

CREATE FUNCTION gateway_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER virtual_keys_changed BEFORE INSERT OR UPDATE ON virtual_keys
    FOR EACH ROW EXECUTE FUNCTION gateway_note_change();

CREATE FUNCTION gateway_note_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TABLE user_budgets (
    user_id           TEXT           NOT NULL PRIMARY KEY,
    monthly_limit_usd NUMERIC(19, 9) NOT NULL CHECK (monthly_limit_usd BETWEEN 0 AND 9223372036.854775807),
    updated_at        TIMESTAMPTZ    NOT NULL DEFAULT now()
);

CREATE TRIGGER user_budgets_updated BEFORE UPDATE ON user_budgets
    FOR EACH ROW EXECUTE FUNCTION gateway_note_update();

CREATE TABLE team_budgets (
    team_id           TEXT           NOT NULL PRIMARY KEY,
    monthly_limit_usd NUMERIC(19, 9) NOT NULL CHECK (monthly_limit_usd BETWEEN 0 AND 9223372036.854775807),
    updated_at        TIMESTAMPTZ    NOT NULL DEFAULT now()
);

CREATE TRIGGER team_budgets_updated BEFORE UPDATE ON team_budgets
    FOR EACH ROW EXECUTE FUNCTION gateway_note_update();

-- What was spent: the sum of the usage log's costs, kept beside it so that a lease is quick.
CREATE TABLE budget_spend (
    scope    TEXT            NOT NULL CHECK (scope IN ('key', 'user', 'team')),
    scope_id TEXT            NOT NULL,
    period   TEXT            NOT NULL,  -- 2026-11, 2026-W48, 2026-11-25 or total
    spent    NUMERIC(30, 12) NOT NULL,  -- US dollars
    PRIMARY KEY (scope, scope_id, period)
) WITH (fillfactor = 50);  -- updated often: room for the new versions of a row beside it

-- What a process may still spend of a budget and has not written to the usage log yet.
CREATE TABLE budget_leases (
    scope      TEXT            NOT NULL CHECK (scope IN ('key', 'user', 'team')),
    scope_id   TEXT            NOT NULL,
    period     TEXT            NOT NULL,
    replica    TEXT            NOT NULL,
    granted    NUMERIC(30, 12) NOT NULL CHECK (granted >= 0),  -- US dollars
    expires_at TIMESTAMPTZ     NOT NULL,
    PRIMARY KEY (scope, scope_id, period, replica)
) WITH (fillfactor = 50);

-- One row an upstream attempt that cost money or served a client. No prompt, no credential.
CREATE TABLE llm_usage_log (
    id                     UUID            NOT NULL PRIMARY KEY,  -- version 7
    timestamp              TIMESTAMPTZ     NOT NULL,
    trace_id               TEXT            NOT NULL,
    request_id             TEXT            NOT NULL,
    virtual_key_id         TEXT            NOT NULL,
    user_id                TEXT,
    team_id                TEXT,
    provider               TEXT            NOT NULL,
    model                  TEXT            NOT NULL,
    endpoint               TEXT            NOT NULL,
    status                 TEXT            NOT NULL,              -- success, error or cancelled
    attempt                INTEGER         NOT NULL,
    prompt_tokens          BIGINT          NOT NULL,
    completion_tokens      BIGINT          NOT NULL,
    cached_tokens          BIGINT          NOT NULL,
    cache_write_tokens     BIGINT          NOT NULL,
    reasoning_tokens       BIGINT          NOT NULL,
    cost                   NUMERIC(30, 12),                       -- US dollars; NULL where the model has no price
    estimated              BOOLEAN         NOT NULL,              -- true where the gateway counted the tokens
    stream                 BOOLEAN         NOT NULL,
    duration_ms            BIGINT          NOT NULL,
    time_to_first_token_ms BIGINT,
    replica                TEXT            NOT NULL,
    baseline_cost          NUMERIC(30, 12)                        -- US dollars that it would have cost without the gateway
);

-- For reports and retention. The names idx_usage_user_date and idx_usage_provider are the operators'.
CREATE INDEX llm_usage_log_timestamp ON llm_usage_log (timestamp);

-- What a million tokens cost, in US dollars.
CREATE TABLE pricing_config (
    provider          TEXT           NOT NULL,
    model             TEXT           NOT NULL,                      -- a name, or a pattern in which * stands for any text
    service_tier      TEXT           NOT NULL DEFAULT '',
    effective_from    DATE           NOT NULL DEFAULT '1970-01-01', -- the first day on which the row holds, UTC
    input             NUMERIC(15, 6) NOT NULL CHECK (input BETWEEN 0 AND 1000000000),
    output            NUMERIC(15, 6) NOT NULL CHECK (output BETWEEN 0 AND 1000000000),
    cached_input      NUMERIC(15, 6) CHECK (cached_input BETWEEN 0 AND 1000000000),
    cache_write       NUMERIC(15, 6) CHECK (cache_write BETWEEN 0 AND 1000000000),
    cache_write_1h    NUMERIC(15, 6) CHECK (cache_write_1h BETWEEN 0 AND 1000000000),
    reasoning         NUMERIC(15, 6) CHECK (reasoning BETWEEN 0 AND 1000000000),
    audio_input       NUMERIC(15, 6) CHECK (audio_input BETWEEN 0 AND 1000000000),
    audio_output      NUMERIC(15, 6) CHECK (audio_output BETWEEN 0 AND 1000000000),
    image_input       NUMERIC(15, 6) CHECK (image_input BETWEEN 0 AND 1000000000),
    above             TEXT           NOT NULL DEFAULT '[]',         -- JSON: the prices of long requests
    max_output_tokens BIGINT         CHECK (max_output_tokens > 0),
    source            TEXT           NOT NULL DEFAULT '',           -- where the figures were read, and when
    updated_at        TIMESTAMPTZ    NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, model, service_tier, effective_from)
);

CREATE TRIGGER pricing_config_updated BEFORE UPDATE ON pricing_config
    FOR EACH ROW EXECUTE FUNCTION gateway_note_update();

-- Who changed what through the admin API; never a secret.
CREATE TABLE audit_log (
    id        UUID        NOT NULL PRIMARY KEY,  -- version 7
    timestamp TIMESTAMPTZ NOT NULL,
    actor     TEXT        NOT NULL,
    action    TEXT        NOT NULL,
    subject   TEXT        NOT NULL,
    detail    TEXT        NOT NULL               -- JSON
);

CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
