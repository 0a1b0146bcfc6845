-- A key that was reissued goes on working by its former text for a while.
ALTER TABLE virtual_keys
    ADD COLUMN former_key   TEXT,         -- SHA-256 of the former text, hexadecimal
    ADD COLUMN former_until TIMESTAMPTZ;  -- when the former text stops working
