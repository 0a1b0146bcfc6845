-- Virtual keys. No column holds a key or a credential in the clear.
CREATE TABLE virtual_keys (
    id                TEXT    NOT NULL PRIMARY KEY,                            -- UUID version 7
    virtual_key       TEXT    NOT NULL UNIQUE,                                 -- SHA-256 of the key, hexadecimal
    hint              TEXT    NOT NULL,                                        -- vk-abc…wxyz
    name              TEXT    NOT NULL,
    provider          TEXT,
    real_api_key      BLOB,                                                    -- sealed with AES-256-GCM
    rate_limit        INTEGER CHECK (rate_limit BETWEEN 1 AND 4294967295),     -- requests per minute
    budget_limit_usd  INTEGER CHECK (budget_limit_usd >= 0),                   -- billionths of a US dollar
    user_id           TEXT,
    team_id           TEXT,
    allowed_models    TEXT,                                                    -- JSON array of patterns
    allowed_providers TEXT,                                                    -- JSON array of names
    config            TEXT,                                                    -- slug of a named routing config
    expires_at        INTEGER,                                                 -- microseconds since 1970, UTC
    is_active         INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),  -- 0 once revoked
    created_at        INTEGER NOT NULL,                                        -- microseconds since 1970, UTC
    updated_at        INTEGER NOT NULL                                         -- microseconds since 1970, UTC
) STRICT;

-- There is no index idx_virtual_keys_active: UNIQUE already makes the one that a look-up needs, and operators may
-- create theirs, CREATE INDEX idx_virtual_keys_active ON virtual_keys(virtual_key) WHERE is_active = true, as documented.

-- Small facts that outlive a restart, such as the hash of the admin token.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
