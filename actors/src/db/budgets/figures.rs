//! Spend and leases of the same budget, side by side.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{Integer, Text};

use super::leases::BudgetFigures;
use crate::db::backend::lenient::Lenient;
use crate::db::backend::types::{Picos, sql};
use crate::db::bad_rows::BadRow;
use crate::money::amount::PicoUsd;
use crate::scope::{Scope, ScopeKind};

/// The kinds of figures: what is spent,
pub(in crate::db) const SPENT: i32 = 0;

/// what is leased,
pub(in crate::db) const LEASED: i32 = 1;

/// and what was leased to a replica that is gone.
pub(in crate::db) const PRESUMED: i32 = 2;

/// A row of `budget_spend` or of `budget_leases`.
#[derive(QueryableByName)]
pub(in crate::db) struct Figure {
    #[diesel(sql_type = Text)]
    pub(in crate::db) scope: String,
    #[diesel(sql_type = Text)]
    pub(in crate::db) scope_id: String,
    #[diesel(sql_type = Text)]
    pub(in crate::db) period: String,
    #[diesel(sql_type = sql::Picos)]
    pub(in crate::db) amount: Lenient<Picos>,
    #[diesel(sql_type = Integer)]
    pub(in crate::db) kind: i32,
}

impl Figure {
    fn table(&self) -> &'static str {
        if self.kind == SPENT { "budget_spend" } else { "budget_leases" }
    }
}

/// A row of a budget whose amount is none.
pub(in crate::db) fn bad_amount(table: &'static str, budget: (&str, &str, &str), problem: &str) -> BadRow {
    let (scope, id, period) = budget;
    BadRow::new(table, format!("{scope}/{id}/{period}"), problem)
}

/// Joins rows; a scope of another version's making is left out, and a row whose amount is none is passed over.
pub(in crate::db) fn join(rows: Vec<Figure>) -> (Vec<BudgetFigures>, Vec<BadRow>) {
    let mut bad = Vec::new();
    let mut joined: BTreeMap<(String, String, String), [PicoUsd; 3]> = BTreeMap::new();
    for figure in rows {
        let amount = match &figure.amount.0 {
            Ok(amount) => amount.0,
            Err(problem) => {
                let budget = (&*figure.scope, &*figure.scope_id, &*figure.period);
                bad.push(bad_amount(figure.table(), budget, problem));
                continue;
            }
        };
        let Figure { scope, scope_id, period, kind, .. } = figure;
        let [spent, leased, presumed] = joined.entry((scope, scope_id, period)).or_default();
        let sum = match kind {
            SPENT => spent,
            PRESUMED => presumed,
            _ => leased,
        };
        *sum = sum.plus(amount);
    }
    let figures = joined.into_iter().filter_map(|((scope, id, period), [spent, leased, presumed])| {
        let scope = Scope::new(scope.parse::<ScopeKind>().ok()?, id);
        Some(BudgetFigures { scope, period, spent, leased, presumed })
    });
    (figures.collect(), bad)
}
