DROP TABLE pricing_config;
DROP TABLE llm_usage_log;
DROP TABLE budget_leases;
DROP TABLE budget_spend;
DROP TABLE team_budgets;
DROP TABLE user_budgets;
ALTER TABLE virtual_keys DROP COLUMN budget_period;
