-- Alerts that the operator's webhook has not taken yet. A row is gone once it is delivered or given up.
CREATE TABLE alert_outbox (
    id       TEXT    NOT NULL PRIMARY KEY,  -- UUID version 7, the same in every attempt
    event    TEXT    NOT NULL,              -- JSON, as it is posted
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER NOT NULL               -- when the next attempt may be made; microseconds since 1970
) STRICT, WITHOUT ROWID;
