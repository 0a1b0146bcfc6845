-- A key that was reissued goes on working by its former text for a while.
ALTER TABLE virtual_keys ADD COLUMN former_key TEXT;       -- SHA-256 of the former text, hexadecimal
ALTER TABLE virtual_keys ADD COLUMN former_until INTEGER;  -- when that stops working; microseconds since 1970, UTC
