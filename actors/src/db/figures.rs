//! Spend and leases of the same budget, side by side.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};

use super::leases::BudgetFigures;
use super::types::{Picos, sql};
use crate::budget::scope::{Scope, ScopeKind};
use crate::money::PicoUsd;

/// A row of `budget_spend` or of `budget_leases`.
#[derive(QueryableByName)]
pub(super) struct Figure {
    #[diesel(sql_type = Text)]
    pub(super) scope: String,
    #[diesel(sql_type = Text)]
    pub(super) scope_id: String,
    #[diesel(sql_type = Text)]
    pub(super) period: String,
    #[diesel(sql_type = sql::Picos)]
    pub(super) amount: Picos,
    #[diesel(sql_type = Bool)]
    pub(super) is_spent: bool,
}

/// Joins rows; a scope of another version's making is left out.
pub(super) fn join(rows: Vec<Figure>) -> Vec<BudgetFigures> {
    let mut joined: BTreeMap<(String, String, String), (PicoUsd, PicoUsd)> = BTreeMap::new();
    for Figure { scope, scope_id, period, amount, is_spent } in rows {
        let (spent, leased) = joined.entry((scope, scope_id, period)).or_default();
        let sum = if is_spent { spent } else { leased };
        *sum = sum.plus(amount.0);
    }
    let figures = joined.into_iter().filter_map(|((scope, id, period), (spent, leased))| {
        let scope = Scope::new(ScopeKind::of_word(&scope)?, id);
        Some(BudgetFigures { scope, period, spent, leased })
    });
    figures.collect()
}
