ALTER TABLE budget_leases DROP CONSTRAINT budget_leases_number;
ALTER TABLE budget_spend DROP CONSTRAINT budget_spend_number;
ALTER TABLE pricing_config
    DROP CONSTRAINT pricing_config_tier_known,
    DROP CONSTRAINT pricing_config_day_finite,
    DROP CONSTRAINT pricing_config_above_list;
ALTER TABLE virtual_keys DROP CONSTRAINT virtual_keys_lists, DROP CONSTRAINT virtual_keys_times;
DROP FUNCTION gateway_is_json_list(TEXT, TEXT);
