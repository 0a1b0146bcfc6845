//! Spend and leases of the same budget, side by side.

use std::collections::BTreeMap;

use super::leases::BudgetFigures;
use crate::budget::scope::{Scope, ScopeKind};
use crate::money::PicoUsd;

type Row = (String, String, String, i64);

/// Joins rows of (scope, id, period, pico-dollars); a scope of another version's making is left out.
pub(super) fn join(spent: Vec<Row>, leased: Vec<Row>) -> Vec<BudgetFigures> {
    let mut joined: BTreeMap<(String, String, String), (i128, i128)> = BTreeMap::new();
    for (scope, id, period, picos) in spent {
        joined.entry((scope, id, period)).or_default().0 += i128::from(picos);
    }
    for (scope, id, period, picos) in leased {
        joined.entry((scope, id, period)).or_default().1 += i128::from(picos);
    }
    let figures = joined.into_iter().filter_map(|((scope, id, period), (spent, leased))| {
        let scope = Scope::new(ScopeKind::of_word(&scope)?, id);
        Some(BudgetFigures { scope, period, spent: PicoUsd::from_picos(spent), leased: PicoUsd::from_picos(leased) })
    });
    figures.collect()
}
