-- Keep rows out that no version can read. Rows that are there already stay, and are named by the gateway. Triggers, as a
-- table of SQLite's takes no further CHECK; an update of other columns is let through.

CREATE TRIGGER virtual_keys_check_insert BEFORE INSERT ON virtual_keys BEGIN
    SELECT CASE
        WHEN NOT json_valid(NEW.allowed_models)
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN json_type(NEW.allowed_models) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.allowed_models) WHERE type <> 'text')
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN NOT json_valid(NEW.allowed_providers)
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN json_type(NEW.allowed_providers) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.allowed_providers) WHERE type <> 'text')
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN NEW.expires_at NOT BETWEEN -62135596800000000 AND 253402300799999999
            THEN RAISE(ABORT, 'refused by the gateway: expires_at must be microseconds since 1970')
    END;
END;

CREATE TRIGGER virtual_keys_check_update BEFORE UPDATE OF allowed_models, allowed_providers, expires_at
    ON virtual_keys BEGIN
    SELECT CASE
        WHEN NOT json_valid(NEW.allowed_models)
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN json_type(NEW.allowed_models) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.allowed_models) WHERE type <> 'text')
            THEN RAISE(ABORT, 'refused by the gateway: allowed_models must be a JSON array of texts')
        WHEN NOT json_valid(NEW.allowed_providers)
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN json_type(NEW.allowed_providers) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.allowed_providers) WHERE type <> 'text')
            THEN RAISE(ABORT, 'refused by the gateway: allowed_providers must be a JSON array of texts')
        WHEN NEW.expires_at NOT BETWEEN -62135596800000000 AND 253402300799999999
            THEN RAISE(ABORT, 'refused by the gateway: expires_at must be microseconds since 1970')
    END;
END;

CREATE TRIGGER pricing_config_check_insert BEFORE INSERT ON pricing_config BEGIN
    SELECT CASE
        WHEN NEW.service_tier NOT IN ('', 'default', 'flex', 'priority', 'batch')
            THEN RAISE(ABORT, 'refused by the gateway: service_tier must be empty, flex, priority or batch')
        WHEN NEW.effective_from IS NOT date(NEW.effective_from)
            THEN RAISE(ABORT, 'refused by the gateway: effective_from must be a day such as 2026-11-25')
        WHEN NOT json_valid(NEW.above)
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN json_type(NEW.above) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.above) WHERE type <> 'object')
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN NEW.input % 1000 <> 0
            OR NEW.output % 1000 <> 0
            OR NEW.cached_input % 1000 <> 0
            OR NEW.cache_write % 1000 <> 0
            OR NEW.cache_write_1h % 1000 <> 0
            OR NEW.reasoning % 1000 <> 0
            OR NEW.audio_input % 1000 <> 0
            OR NEW.audio_output % 1000 <> 0
            OR NEW.image_input % 1000 <> 0
            THEN RAISE(ABORT, 'refused by the gateway: an amount must be whole thousands of billionths of a dollar')
    END;
END;

CREATE TRIGGER pricing_config_check_update BEFORE UPDATE OF service_tier, effective_from, above, input, output, cached_input, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image_input
    ON pricing_config BEGIN
    SELECT CASE
        WHEN NEW.service_tier NOT IN ('', 'default', 'flex', 'priority', 'batch')
            THEN RAISE(ABORT, 'refused by the gateway: service_tier must be empty, flex, priority or batch')
        WHEN NEW.effective_from IS NOT date(NEW.effective_from)
            THEN RAISE(ABORT, 'refused by the gateway: effective_from must be a day such as 2026-11-25')
        WHEN NOT json_valid(NEW.above)
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN json_type(NEW.above) <> 'array'
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN EXISTS (SELECT 1 FROM json_each(NEW.above) WHERE type <> 'object')
            THEN RAISE(ABORT, 'refused by the gateway: above must be a JSON array of objects')
        WHEN NEW.input % 1000 <> 0
            OR NEW.output % 1000 <> 0
            OR NEW.cached_input % 1000 <> 0
            OR NEW.cache_write % 1000 <> 0
            OR NEW.cache_write_1h % 1000 <> 0
            OR NEW.reasoning % 1000 <> 0
            OR NEW.audio_input % 1000 <> 0
            OR NEW.audio_output % 1000 <> 0
            OR NEW.image_input % 1000 <> 0
            THEN RAISE(ABORT, 'refused by the gateway: an amount must be whole thousands of billionths of a dollar')
    END;
END;

-- INSERT OR REPLACE takes the row of another id away where it has the same virtual_key, and tells no trigger of it.
CREATE TRIGGER virtual_keys_log_replaced BEFORE INSERT ON virtual_keys BEGIN
    INSERT INTO change_log (table_name, row_id)
        SELECT 'virtual_keys', id FROM virtual_keys WHERE virtual_key = NEW.virtual_key AND id <> NEW.id;
END;

-- UPDATE OR REPLACE does so with the row whose id or virtual_key it takes.
CREATE TRIGGER virtual_keys_log_replaced_by_update BEFORE UPDATE OF id, virtual_key ON virtual_keys BEGIN
    INSERT INTO change_log (table_name, row_id)
        SELECT 'virtual_keys', id FROM virtual_keys
        WHERE (virtual_key = NEW.virtual_key OR id = NEW.id) AND id <> OLD.id;
END;
