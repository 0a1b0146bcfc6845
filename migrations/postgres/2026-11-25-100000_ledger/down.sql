DROP TABLE audit_log;
DROP TABLE pricing_config;
DROP TABLE llm_usage_log;
DROP TABLE budget_leases;
DROP TABLE budget_spend;
DROP TABLE team_budgets;
DROP TABLE user_budgets;
DROP TRIGGER virtual_keys_changed ON virtual_keys;
DROP FUNCTION gateway_note_update;
DROP FUNCTION gateway_note_change;
ALTER TABLE virtual_keys
    DROP COLUMN changed_at,
    DROP COLUMN budget_period;
