ALTER TABLE virtual_keys
    DROP COLUMN former_key,
    DROP COLUMN former_until;
