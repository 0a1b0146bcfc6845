-- Money that is counted is an INTEGER of pico-dollars (10^-12 US dollars), exact for any price; limits are billionths.

ALTER TABLE virtual_keys ADD COLUMN budget_period TEXT NOT NULL DEFAULT 'month'
    CHECK (budget_period IN ('total', 'day', 'week', 'month'));

-- When the row was last written, whoever wrote it: other processes ask what changed since they last looked.
ALTER TABLE virtual_keys ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;  -- microseconds since 1970, UTC

CREATE INDEX virtual_keys_changed_at ON virtual_keys (changed_at);

CREATE TRIGGER virtual_keys_inserted AFTER INSERT ON virtual_keys BEGIN
    UPDATE virtual_keys SET changed_at = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) WHERE id = NEW.id;
END;

CREATE TRIGGER virtual_keys_updated AFTER UPDATE ON virtual_keys WHEN NEW.changed_at = OLD.changed_at BEGIN
    UPDATE virtual_keys SET changed_at = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) WHERE id = NEW.id;
END;

CREATE TABLE user_budgets (
    user_id           TEXT    NOT NULL PRIMARY KEY,
    monthly_limit_usd INTEGER NOT NULL CHECK (monthly_limit_usd >= 0),  -- billionths of a US dollar
    updated_at        INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
) STRICT;

CREATE TABLE team_budgets (
    team_id           TEXT    NOT NULL PRIMARY KEY,
    monthly_limit_usd INTEGER NOT NULL CHECK (monthly_limit_usd >= 0),  -- billionths of a US dollar
    updated_at        INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
) STRICT;

-- What was spent: the sum of the usage log's costs, kept beside it so that a lease is quick.
CREATE TABLE budget_spend (
    scope    TEXT    NOT NULL CHECK (scope IN ('key', 'user', 'team')),
    scope_id TEXT    NOT NULL,
    period   TEXT    NOT NULL,  -- 2026-11, 2026-W48, 2026-11-25 or total
    spent    INTEGER NOT NULL,  -- pico-dollars
    PRIMARY KEY (scope, scope_id, period)
) STRICT, WITHOUT ROWID;

-- What a process may still spend of a budget and has not written to the usage log yet.
CREATE TABLE budget_leases (
    scope      TEXT    NOT NULL CHECK (scope IN ('key', 'user', 'team')),
    scope_id   TEXT    NOT NULL,
    period     TEXT    NOT NULL,
    replica    TEXT    NOT NULL,
    granted    INTEGER NOT NULL CHECK (granted >= 0),  -- pico-dollars
    expires_at INTEGER NOT NULL,                       -- microseconds since 1970, UTC
    PRIMARY KEY (scope, scope_id, period, replica)
) STRICT, WITHOUT ROWID;

-- One row an upstream attempt that cost money or served a client. No prompt, no credential.
CREATE TABLE llm_usage_log (
    id                     TEXT    NOT NULL PRIMARY KEY,  -- UUID version 7
    timestamp              INTEGER NOT NULL,              -- microseconds since 1970, UTC
    trace_id               TEXT    NOT NULL,
    request_id             TEXT    NOT NULL,
    virtual_key_id         TEXT    NOT NULL,
    user_id                TEXT,
    team_id                TEXT,
    provider               TEXT    NOT NULL,
    model                  TEXT    NOT NULL,
    endpoint               TEXT    NOT NULL,
    status                 TEXT    NOT NULL,              -- success, error or cancelled
    attempt                INTEGER NOT NULL,
    prompt_tokens          INTEGER NOT NULL,
    completion_tokens      INTEGER NOT NULL,
    cached_tokens          INTEGER NOT NULL,
    cache_write_tokens     INTEGER NOT NULL,
    reasoning_tokens       INTEGER NOT NULL,
    cost                   INTEGER,                       -- pico-dollars; NULL where the model has no price
    estimated              INTEGER NOT NULL,              -- 1 where the gateway counted the tokens
    stream                 INTEGER NOT NULL,
    duration_ms            INTEGER NOT NULL,
    time_to_first_token_ms INTEGER,
    replica                TEXT    NOT NULL,
    baseline_cost          INTEGER                        -- pico-dollars that it would have cost without the gateway
) STRICT, WITHOUT ROWID;

-- For reports and retention.
CREATE INDEX llm_usage_log_timestamp ON llm_usage_log (timestamp);

-- What a million tokens cost, in billionths of a US dollar; whole thousands of them, since prices have six decimals.
CREATE TABLE pricing_config (
    provider          TEXT    NOT NULL,
    model             TEXT    NOT NULL,                       -- a name, or a pattern in which * stands for any text
    service_tier      TEXT    NOT NULL DEFAULT '',
    effective_from    TEXT    NOT NULL DEFAULT '1970-01-01',  -- the first day on which the row holds, UTC
    input             INTEGER NOT NULL CHECK (input >= 0),
    output            INTEGER NOT NULL CHECK (output >= 0),
    cached_input      INTEGER CHECK (cached_input >= 0),
    cache_write       INTEGER CHECK (cache_write >= 0),
    cache_write_1h    INTEGER CHECK (cache_write_1h >= 0),
    reasoning         INTEGER CHECK (reasoning >= 0),
    audio_input       INTEGER CHECK (audio_input >= 0),
    audio_output      INTEGER CHECK (audio_output >= 0),
    image_input       INTEGER CHECK (image_input >= 0),
    above             TEXT    NOT NULL DEFAULT '[]',          -- JSON: the prices of long requests
    max_output_tokens INTEGER CHECK (max_output_tokens > 0),
    source            TEXT    NOT NULL DEFAULT '',            -- where the figures were read, and when
    updated_at        INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    PRIMARY KEY (provider, model, service_tier, effective_from)
) STRICT;

CREATE TRIGGER pricing_config_updated AFTER UPDATE ON pricing_config WHEN NEW.updated_at = OLD.updated_at BEGIN
    UPDATE pricing_config SET updated_at = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) WHERE rowid = NEW.rowid;
END;

-- Who changed what through the admin API; never a secret.
CREATE TABLE audit_log (
    id        TEXT    NOT NULL PRIMARY KEY,  -- UUID version 7
    timestamp INTEGER NOT NULL,              -- microseconds since 1970, UTC
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    detail    TEXT    NOT NULL               -- JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
