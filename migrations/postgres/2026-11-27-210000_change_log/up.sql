-- Which rows were written, by anybody, of the tables that processes keep in memory. A process reads what is written here
-- by transactions that it did not see the last time: neither a clock nor the length of a transaction matters.
CREATE TABLE change_log (
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    table_name TEXT NOT NULL,
    row_id     TEXT            -- NULL where the whole table is to be read
);

CREATE INDEX change_log_xid ON change_log (xid);

-- It runs with the rights of its owner, so that whoever may write the table need not know of the log.
CREATE FUNCTION gateway_log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before TEXT;
    after  TEXT;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO change_log (table_name) VALUES (TG_TABLE_NAME);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := concat_ws('/', to_jsonb(OLD) ->> TG_ARGV[0], to_jsonb(OLD) ->> TG_ARGV[1]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := concat_ws('/', to_jsonb(NEW) ->> TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1]);
        INSERT INTO change_log (table_name, row_id) VALUES (TG_TABLE_NAME, after);
    END IF;
    IF before IS DISTINCT FROM after AND TG_OP <> 'INSERT' THEN
        INSERT INTO change_log (table_name, row_id) VALUES (TG_TABLE_NAME, before);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER virtual_keys_logged AFTER INSERT OR UPDATE OR DELETE ON virtual_keys
    FOR EACH ROW EXECUTE FUNCTION gateway_log_change('id');
CREATE TRIGGER virtual_keys_emptied AFTER TRUNCATE ON virtual_keys
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_log_change();

CREATE TRIGGER user_budgets_logged AFTER INSERT OR UPDATE OR DELETE ON user_budgets
    FOR EACH ROW EXECUTE FUNCTION gateway_log_change('user_id');
CREATE TRIGGER user_budgets_emptied AFTER TRUNCATE ON user_budgets
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_log_change();

CREATE TRIGGER team_budgets_logged AFTER INSERT OR UPDATE OR DELETE ON team_budgets
    FOR EACH ROW EXECUTE FUNCTION gateway_log_change('team_id');
CREATE TRIGGER team_budgets_emptied AFTER TRUNCATE ON team_budgets
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_log_change();

CREATE TRIGGER scope_limits_logged AFTER INSERT OR UPDATE OR DELETE ON scope_limits
    FOR EACH ROW EXECUTE FUNCTION gateway_log_change('scope', 'scope_id');
CREATE TRIGGER scope_limits_emptied AFTER TRUNCATE ON scope_limits
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_log_change();

CREATE TRIGGER pricing_config_logged AFTER INSERT OR UPDATE OR DELETE ON pricing_config
    FOR EACH ROW EXECUTE FUNCTION gateway_log_change('provider', 'model');
CREATE TRIGGER pricing_config_emptied AFTER TRUNCATE ON pricing_config
    FOR EACH STATEMENT EXECUTE FUNCTION gateway_log_change();

-- Also where a session plays the part of a replica.
ALTER TABLE virtual_keys ENABLE ALWAYS TRIGGER virtual_keys_logged, ENABLE ALWAYS TRIGGER virtual_keys_emptied;
ALTER TABLE user_budgets ENABLE ALWAYS TRIGGER user_budgets_logged, ENABLE ALWAYS TRIGGER user_budgets_emptied;
ALTER TABLE team_budgets ENABLE ALWAYS TRIGGER team_budgets_logged, ENABLE ALWAYS TRIGGER team_budgets_emptied;
ALTER TABLE scope_limits ENABLE ALWAYS TRIGGER scope_limits_logged, ENABLE ALWAYS TRIGGER scope_limits_emptied;
ALTER TABLE pricing_config ENABLE ALWAYS TRIGGER pricing_config_logged, ENABLE ALWAYS TRIGGER pricing_config_emptied;
