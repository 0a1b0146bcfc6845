-- Responses that clients may ask for again, or go on from, until they expire. A row is never changed.
CREATE TABLE stored_responses (
    id             TEXT    NOT NULL PRIMARY KEY,  -- as the client knows it
    tenant         TEXT    NOT NULL,              -- who may read it: team:… or key:…
    virtual_key_id TEXT    NOT NULL,              -- the key that asked
    model          TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,              -- microseconds since 1970
    expires_at     INTEGER NOT NULL,              -- microseconds since 1970
    bytes          INTEGER NOT NULL,              -- of the content before it was sealed
    sealed         BLOB    NOT NULL               -- input, output and response; the master key opens it
) STRICT;

CREATE INDEX idx_stored_responses_expires ON stored_responses (expires_at);
