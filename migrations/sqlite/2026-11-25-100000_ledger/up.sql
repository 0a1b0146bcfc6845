-- Money that is counted is an INTEGER of pico-dollars (10^-12 US dollars), exact for any price; limits are billionths.

ALTER TABLE virtual_keys ADD COLUMN budget_period TEXT NOT NULL DEFAULT 'month'
    CHECK (budget_period IN ('total', 'day', 'week', 'month'));

CREATE TABLE user_budgets (
    user_id           TEXT    NOT NULL PRIMARY KEY,
    monthly_limit_usd INTEGER NOT NULL CHECK (monthly_limit_usd >= 0)  -- billionths of a US dollar
) STRICT;

CREATE TABLE team_budgets (
    team_id           TEXT    NOT NULL PRIMARY KEY,
    monthly_limit_usd INTEGER NOT NULL CHECK (monthly_limit_usd >= 0)  -- billionths of a US dollar
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
    replica                TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What a million tokens cost, in US dollars with at most six decimals.
CREATE TABLE pricing_config (
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,              -- a name, or a pattern in which * stands for any text
    service_tier   TEXT NOT NULL DEFAULT '',
    effective_from TEXT NOT NULL DEFAULT '',   -- YYYY-MM-DD
    price          TEXT NOT NULL,              -- the row as JSON
    PRIMARY KEY (provider, model, service_tier, effective_from)
) STRICT, WITHOUT ROWID;
