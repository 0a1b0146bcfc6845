-- Keep rows out that no version can read. Rows that are there already stay, and are named by the gateway. Triggers that
-- judge the columns that change, and no constraints: those judge every update of an old bad row, a revocation too.

CREATE FUNCTION gateway_is_json_list(list TEXT, element TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM jsonb_array_elements(list::jsonb) AS one WHERE jsonb_typeof(one) <> element);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;

-- In both functions OLD is NULL for an insert.
CREATE FUNCTION gateway_check_virtual_key() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    wrong TEXT;
BEGIN
    wrong := CASE
        WHEN NEW.allowed_models IS DISTINCT FROM OLD.allowed_models
            AND NOT gateway_is_json_list(NEW.allowed_models, 'string')
            THEN 'allowed_models must be a JSON array of texts'
        WHEN NEW.allowed_providers IS DISTINCT FROM OLD.allowed_providers
            AND NOT gateway_is_json_list(NEW.allowed_providers, 'string')
            THEN 'allowed_providers must be a JSON array of texts'
        WHEN NEW.created_at IS DISTINCT FROM OLD.created_at AND NOT isfinite(NEW.created_at)
            THEN 'created_at must be finite'
        WHEN NEW.updated_at IS DISTINCT FROM OLD.updated_at AND NOT isfinite(NEW.updated_at)
            THEN 'updated_at must be finite'
        WHEN NEW.expires_at IS DISTINCT FROM OLD.expires_at AND NOT isfinite(NEW.expires_at)
            THEN 'expires_at must be finite'
        WHEN NEW.former_until IS DISTINCT FROM OLD.former_until AND NOT isfinite(NEW.former_until)
            THEN 'former_until must be finite'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'refused by the gateway: %', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER virtual_keys_checked
    BEFORE INSERT OR UPDATE OF allowed_models, allowed_providers, created_at, updated_at, expires_at, former_until
    ON virtual_keys FOR EACH ROW EXECUTE FUNCTION gateway_check_virtual_key();

CREATE FUNCTION gateway_check_price() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    wrong TEXT;
BEGIN
    wrong := CASE
        WHEN NEW.service_tier IS DISTINCT FROM OLD.service_tier
            AND NEW.service_tier NOT IN ('', 'default', 'flex', 'priority', 'batch')
            THEN 'service_tier must be empty, flex, priority or batch'
        WHEN NEW.effective_from IS DISTINCT FROM OLD.effective_from AND NOT isfinite(NEW.effective_from)
            THEN 'effective_from must be a day such as 2026-11-25'
        WHEN NEW.above IS DISTINCT FROM OLD.above AND NOT gateway_is_json_list(NEW.above, 'object')
            THEN 'above must be a JSON array of objects'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'refused by the gateway: %', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER pricing_config_checked BEFORE INSERT OR UPDATE OF service_tier, effective_from, above
    ON pricing_config FOR EACH ROW EXECUTE FUNCTION gateway_check_price();
