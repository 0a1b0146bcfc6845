ALTER TABLE virtual_keys DROP COLUMN former_until;
ALTER TABLE virtual_keys DROP COLUMN former_key;
