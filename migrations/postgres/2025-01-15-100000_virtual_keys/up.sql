-- Virtual keys. No column holds a key or a credential in the clear.
CREATE TABLE virtual_keys (
    id                TEXT           NOT NULL PRIMARY KEY,                            -- UUID version 7
    virtual_key       TEXT           NOT NULL UNIQUE,                                 -- SHA-256 of the key, hexadecimal
    hint              TEXT           NOT NULL,                                        -- vk-abc…wxyz
    name              TEXT           NOT NULL,
    provider          TEXT,
    real_api_key      BYTEA,                                                          -- sealed with AES-256-GCM
    rate_limit        BIGINT         CHECK (rate_limit BETWEEN 1 AND 4294967295),     -- requests per minute
    -- NaN is above every number in PostgreSQL, so the upper bound also refuses it.
    budget_limit_usd  NUMERIC(19, 9) CHECK (budget_limit_usd BETWEEN 0 AND 9223372036.854775807),
    user_id           TEXT,
    team_id           TEXT,
    allowed_models    TEXT,                                                           -- JSON array of patterns
    allowed_providers TEXT,                                                           -- JSON array of names
    config            TEXT,                                                           -- slug of a named routing config
    expires_at        TIMESTAMPTZ,
    is_active         BOOLEAN        NOT NULL DEFAULT true,                           -- false once revoked
    created_at        TIMESTAMPTZ    NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ    NOT NULL DEFAULT now()
);

-- There is no index idx_virtual_keys_active: UNIQUE already makes the one that a look-up needs, and operators may
-- create theirs, CREATE INDEX idx_virtual_keys_active ON virtual_keys(virtual_key) WHERE is_active = true, as documented.

-- Small facts that outlive a restart, such as the hash of the admin token.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
