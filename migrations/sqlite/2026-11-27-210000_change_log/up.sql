-- Which rows were written, by anybody, of the tables that processes keep in memory. There is one writer at a time, so that
-- the numbers are in the order of the commits; AUTOINCREMENT never gives one a second time.
CREATE TABLE change_log (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    table_name TEXT    NOT NULL,
    row_id     TEXT               -- NULL where the whole table is to be read
) STRICT;

CREATE TRIGGER virtual_keys_log_insert AFTER INSERT ON virtual_keys BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('virtual_keys', NEW.id);
END;

CREATE TRIGGER virtual_keys_log_update AFTER UPDATE ON virtual_keys BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('virtual_keys', NEW.id);
    INSERT INTO change_log (table_name, row_id) SELECT 'virtual_keys', OLD.id WHERE OLD.id <> NEW.id;
END;

CREATE TRIGGER virtual_keys_log_delete AFTER DELETE ON virtual_keys BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('virtual_keys', OLD.id);
END;

CREATE TRIGGER user_budgets_log_insert AFTER INSERT ON user_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('user_budgets', NEW.user_id);
END;

CREATE TRIGGER user_budgets_log_update AFTER UPDATE ON user_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('user_budgets', NEW.user_id);
    INSERT INTO change_log (table_name, row_id) SELECT 'user_budgets', OLD.user_id WHERE OLD.user_id <> NEW.user_id;
END;

CREATE TRIGGER user_budgets_log_delete AFTER DELETE ON user_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('user_budgets', OLD.user_id);
END;

CREATE TRIGGER team_budgets_log_insert AFTER INSERT ON team_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('team_budgets', NEW.team_id);
END;

CREATE TRIGGER team_budgets_log_update AFTER UPDATE ON team_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('team_budgets', NEW.team_id);
    INSERT INTO change_log (table_name, row_id) SELECT 'team_budgets', OLD.team_id WHERE OLD.team_id <> NEW.team_id;
END;

CREATE TRIGGER team_budgets_log_delete AFTER DELETE ON team_budgets BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('team_budgets', OLD.team_id);
END;

CREATE TRIGGER scope_limits_log_insert AFTER INSERT ON scope_limits BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('scope_limits', NEW.scope || '/' || NEW.scope_id);
END;

CREATE TRIGGER scope_limits_log_update AFTER UPDATE ON scope_limits BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('scope_limits', NEW.scope || '/' || NEW.scope_id);
    INSERT INTO change_log (table_name, row_id) SELECT 'scope_limits', OLD.scope || '/' || OLD.scope_id WHERE OLD.scope || '/' || OLD.scope_id <> NEW.scope || '/' || NEW.scope_id;
END;

CREATE TRIGGER scope_limits_log_delete AFTER DELETE ON scope_limits BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('scope_limits', OLD.scope || '/' || OLD.scope_id);
END;

CREATE TRIGGER pricing_config_log_insert AFTER INSERT ON pricing_config BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('pricing_config', NEW.provider || '/' || NEW.model);
END;

CREATE TRIGGER pricing_config_log_update AFTER UPDATE ON pricing_config BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('pricing_config', NEW.provider || '/' || NEW.model);
    INSERT INTO change_log (table_name, row_id) SELECT 'pricing_config', OLD.provider || '/' || OLD.model WHERE OLD.provider || '/' || OLD.model <> NEW.provider || '/' || NEW.model;
END;

CREATE TRIGGER pricing_config_log_delete AFTER DELETE ON pricing_config BEGIN
    INSERT INTO change_log (table_name, row_id) VALUES ('pricing_config', OLD.provider || '/' || OLD.model);
END;
