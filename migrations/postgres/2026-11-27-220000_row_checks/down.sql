DROP TRIGGER virtual_keys_checked ON virtual_keys;
DROP TRIGGER pricing_config_checked ON pricing_config;
DROP FUNCTION gateway_check_virtual_key();
DROP FUNCTION gateway_check_price();
DROP FUNCTION gateway_is_json_list(TEXT, TEXT);
