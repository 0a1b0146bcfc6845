//! What the ledger can be asked.

use actix::Message;

use crate::budgets::reservation::Claim;
use crate::db::{BudgetFigures, StoreError};
use crate::money::amount::PicoUsd;
use crate::money::prices::Price;
use crate::money::usd::Usd;

/// Leases more of a budget, because a request does not fit into this process' slice.
pub struct Fund {
    /// The budget that is short.
    pub claim: Claim,
    /// What the request needs.
    pub amount: PicoUsd,
}

impl Message for Fund {
    type Result = Result<(), StoreError>;
}

/// Whose monthly limit is set.
pub enum LimitOf {
    /// A user's.
    User(String),
    /// A team's.
    Team(String),
}

/// Sets a monthly limit, or takes it away.
pub struct SetLimit {
    /// Whose.
    pub of: LimitOf,
    /// The limit; none takes it away.
    pub limit: Option<Usd>,
}

impl Message for SetLimit {
    type Result = Result<(), StoreError>;
}

/// Asks for every budget that was spent from or is leased.
pub struct ListBudgets;

impl Message for ListBudgets {
    type Result = Result<Vec<BudgetFigures>, StoreError>;
}

/// Sets a price, which is in force at once in this process and soon in the others.
pub struct SetPrice(pub Price);

impl Message for SetPrice {
    type Result = Result<(), StoreError>;
}

/// Writes everything out at the end of the process.
pub struct Close;

impl Message for Close {
    type Result = Result<(), StoreError>;
}
