DROP TABLE scope_limits;
ALTER TABLE virtual_keys
    DROP COLUMN max_parallel,
    DROP COLUMN tokens_per_minute;
