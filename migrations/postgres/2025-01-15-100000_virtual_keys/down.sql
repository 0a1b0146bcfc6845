DROP TABLE settings;
DROP TABLE virtual_keys;
