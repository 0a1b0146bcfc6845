//! Rows of the store that cannot be read. Each is passed over in a way that allows nothing, told once in the log, and
//! named until it is repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The tables that rows are read of.
pub const TABLES: [&str; 11] = [
    "alert_outbox",
    "audit_log",
    "budget_leases",
    "budget_spend",
    "pricing_config",
    "scope_limits",
    "settings",
    "stored_responses",
    "team_budgets",
    "user_budgets",
    "virtual_keys",
];

/// The characters of an id that are shown.
const MAX_ID_CHARS: usize = 100;

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Its table.
    pub table: &'static str,
    /// What names it there, such as a key's id.
    pub id: String,
    /// What cannot be read; no value that might be a secret.
    pub problem: String,
}

impl BadRow {
    /// A row of a table, and what is wrong with it.
    pub fn new(table: &'static str, id: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { table, id: id.into(), problem: problem.into() }
    }

    /// What becomes of requests meanwhile.
    pub fn consequence(&self) -> &'static str {
        match self.table {
            "virtual_keys" => "the key does not work",
            "pricing_config" => "the model has no price",
            "user_budgets" | "team_budgets" => "the budget is taken for 0",
            "scope_limits" => "nothing is let through",
            "budget_spend" | "budget_leases" => "nothing more of the budget is granted",
            _ => "the row is passed over",
        }
    }
}

impl std::fmt::Display for BadRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id: String = self.id.chars().filter(|letter| !letter.is_control()).take(MAX_ID_CHARS).collect();
        write!(f, "{} {id}: {}; {} until the row is repaired", self.table, self.problem, self.consequence())
    }
}

/// Every bad row that is known; shared by those who read the store and those who show it.
#[derive(Debug, Default)]
pub struct BadRows(Mutex<BTreeMap<&'static str, BTreeMap<String, BadRow>>>);

impl BadRows {
    /// Notes what was found when a whole table was read.
    pub fn read_all(&self, table: &'static str, bad: Vec<BadRow>) {
        let mut tables = self.tables();
        let known = tables.entry(table).or_default();
        let still: BTreeSet<String> = bad.iter().map(|row| row.id.clone()).collect();
        known.retain(|id, row| still.contains(id) || told_repaired(row));
        add(known, bad);
    }

    /// Notes what was found when the rows of these ids were read.
    pub fn read_some<'a>(&self, table: &'static str, ids: impl IntoIterator<Item = &'a str>, bad: Vec<BadRow>) {
        let mut tables = self.tables();
        let known = tables.entry(table).or_default();
        let still: BTreeSet<String> = bad.iter().map(|row| row.id.clone()).collect();
        for id in ids {
            if !still.contains(id)
                && let Some(row) = known.remove(id)
            {
                told_repaired(&row);
            }
        }
        add(known, bad);
    }

    /// All of them.
    pub fn all(&self) -> Vec<BadRow> {
        self.tables().values().flat_map(|rows| rows.values().cloned()).collect()
    }

    /// How many there are in each table.
    pub fn counts(&self) -> [(&'static str, usize); TABLES.len()] {
        let tables = self.tables();
        TABLES.map(|table| (table, tables.get(table).map_or(0, BTreeMap::len)))
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<String, BadRow>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a row once, and again where something else is wrong with it.
fn add(known: &mut BTreeMap<String, BadRow>, bad: Vec<BadRow>) {
    for row in bad {
        if known.get(&row.id) != Some(&row) {
            log::error!("bad row: {row}");
            known.insert(row.id.clone(), row);
        }
    }
}

fn told_repaired(row: &BadRow) -> bool {
    log::info!("the row {} of {} is readable again, or was deleted", row.id, row.table);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(id: &str) -> BadRow {
        BadRow::new("virtual_keys", id, "column allowed_models cannot be read")
    }

    /// H-3: a bad row is named until it is read without fault, or its table without it.
    #[test]
    fn a_row_is_bad_until_it_is_read_again() {
        let rows = BadRows::default();
        rows.read_all("virtual_keys", vec![bad("a"), bad("b"), bad("c")]);
        rows.read_all("user_budgets", vec![BadRow::new("user_budgets", "a", "no amount")]);
        rows.read_some("virtual_keys", ["b", "d"], vec![bad("d")]);
        let ids = |rows: &BadRows| rows.all().into_iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&rows), ["a", "a", "c", "d"]);
        rows.read_all("virtual_keys", vec![bad("c")]);
        assert_eq!(ids(&rows), ["a", "c"]);
        assert_eq!(rows.counts().iter().filter(|(_, count)| *count == 1).count(), 2);
    }

    #[test]
    fn an_id_is_shown_without_control_characters_and_cut() {
        let text = bad(&format!("a\n{}", "b".repeat(500))).to_string();
        assert!(text.starts_with("virtual_keys abbb") && text.len() < 250, "{text}");
    }
}
