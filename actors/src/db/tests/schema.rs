//! `schema.rs`, which is kept by hand, has the tables and columns of the migrated databases.

use std::collections::{BTreeMap, BTreeSet};

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use super::sql::Sql;

/// What diesel and the two databases call a type: diesel, PostgreSQL, SQLite.
const TYPES: [(&str, &str, &str); 10] = [
    ("BigInt", "bigint", "INTEGER"),
    ("Binary", "bytea", "BLOB"),
    ("Bool", "boolean", "INTEGER"),
    ("Day", "date", "TEXT"),
    ("Id", "uuid", "TEXT"),
    ("Integer", "integer", "INTEGER"),
    ("Moment", "timestamp with time zone", "INTEGER"),
    ("Nanos", "numeric", "INTEGER"),
    ("Picos", "numeric", "INTEGER"),
    ("Text", "text", "TEXT"),
];

/// Table, column, type and whether it may be null; ordered by table.
const POSTGRES: &str = "SELECT concat_ws('|', table_name, column_name, data_type, is_nullable) \
    FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, column_name";
const SQLITE: &str = "SELECT concat_ws('|', m.name, c.name, c.type, CASE c.\"notnull\" WHEN 0 THEN 'YES' ELSE 'NO' END) \
    AS text FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name <> 'sqlite_sequence'";

/// The same of primary keys, their columns in order.
const POSTGRES_KEYS: &str = "SELECT concat_ws('|', k.table_name, string_agg(k.column_name, ', ' ORDER BY k.ordinal_position)) \
    FROM information_schema.key_column_usage k JOIN information_schema.table_constraints c USING (constraint_name, table_name) \
    WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_schema = current_schema() GROUP BY k.table_name";
const SQLITE_KEYS: &str = "SELECT concat_ws('|', name, (SELECT group_concat(c.name, ', ') FROM \
    (SELECT name, pk FROM pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk) c)) AS text \
    FROM sqlite_master m WHERE type = 'table' AND name <> 'sqlite_sequence'";

/// Lines of `table|column|type|nullable`, and the primary key of each table.
#[derive(Debug, Default)]
struct Tables {
    columns: BTreeSet<String>,
    keys: BTreeMap<String, String>,
}

impl Tables {
    /// What the `table!` macros of `schema.rs` say, in a database's own words.
    fn of_schema(word_of: impl Fn(&str) -> &'static str) -> Self {
        let mut tables = Self::default();
        let mut table = "";
        for line in include_str!("../schema.rs").lines().map(str::trim) {
            if let Some((name, rest)) = line.split_once(" (")
                && let Some(key) = rest.strip_suffix(") {")
            {
                table = name;
                tables.keys.insert(name.to_owned(), key.to_owned());
            } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
                let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
                let nullable = if inner.is_some() { "YES" } else { "NO" };
                tables.columns.insert(format!("{table}|{column}|{}|{nullable}", word_of(inner.unwrap_or(kind))));
            }
        }
        tables
    }

    /// What a database has, without the tables that `diesel.toml` leaves out.
    fn of_database(sql: &Sql) -> Self {
        let settings = include_str!("../../../../diesel.toml");
        let (_, left_out) = settings.split_once("except_tables = ").unwrap();
        let is_ours = |line: &&String| {
            let table = line.split('|').next().unwrap_or_default();
            !left_out.lines().next().unwrap().contains(&format!("\"{table}\""))
        };
        let (columns, keys) = if sql.is_postgres() { (POSTGRES, POSTGRES_KEYS) } else { (SQLITE, SQLITE_KEYS) };
        let keys = sql.lines(keys);
        let keys = keys.iter().filter(is_ours).filter_map(|line| line.split_once('|'));
        Self {
            columns: sql.lines(columns).iter().filter(is_ours).cloned().collect(),
            keys: keys.map(|(table, key)| (table.to_owned(), key.to_owned())).collect(),
        }
    }
}

on_both_stores! {
    /// Each table has the same columns, types, nulls and primary key.
    async fn the_schema_is_that_of_the_migrations(place) {
        drop(place.store().await);
        let sql = Sql::new(&place);
        let schema = Tables::of_schema(|kind| {
            let (_, postgres, sqlite) = TYPES.iter().find(|(name, ..)| *name == kind).unwrap_or_else(|| panic!("{kind}"));
            if sql.is_postgres() { postgres } else { sqlite }
        });
        let database = Tables::of_database(&sql);
        let missing: Vec<_> = database.columns.difference(&schema.columns).collect();
        let invented: Vec<_> = schema.columns.difference(&database.columns).collect();
        assert!(missing.is_empty() && invented.is_empty(), "not in schema.rs {missing:#?}; not in the database {invented:#?}");
        assert_eq!(schema.keys, database.keys);
        assert!(schema.columns.len() > 80, "{schema:?}");
    }
}
