-- Keep rows out that no version can read. NOT VALID: rows that are there already stay, and are named by the gateway.

CREATE FUNCTION gateway_is_json_list(list TEXT, element TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM jsonb_array_elements(list::jsonb) AS one WHERE jsonb_typeof(one) <> element);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;

ALTER TABLE virtual_keys
    ADD CONSTRAINT virtual_keys_lists
        CHECK (gateway_is_json_list(allowed_models, 'string') AND gateway_is_json_list(allowed_providers, 'string'))
        NOT VALID,
    ADD CONSTRAINT virtual_keys_times
        CHECK (isfinite(created_at) AND isfinite(updated_at) AND isfinite(expires_at) AND isfinite(former_until))
        NOT VALID;

ALTER TABLE pricing_config
    ADD CONSTRAINT pricing_config_tier_known
        CHECK (service_tier IN ('', 'default', 'flex', 'priority', 'batch')) NOT VALID,
    ADD CONSTRAINT pricing_config_day_finite CHECK (isfinite(effective_from)) NOT VALID,
    ADD CONSTRAINT pricing_config_above_list CHECK (gateway_is_json_list(above, 'object')) NOT VALID;

-- NaN is a NUMERIC, and above every other.
ALTER TABLE budget_spend ADD CONSTRAINT budget_spend_number CHECK (spent <> 'NaN') NOT VALID;
ALTER TABLE budget_leases ADD CONSTRAINT budget_leases_number CHECK (granted <> 'NaN') NOT VALID;
