//! What the ledger can be asked.

use actix::Message;

use crate::budgets::reservation::Claim;
use crate::db::{AuditEntry, BudgetFigures, Savings, StoreError, UsageGroup, UsageSum};
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

/// Adds up the usage log.
pub struct ReportUsage {
    /// By what.
    pub group: UsageGroup,
    /// From when, in microseconds since 1970.
    pub from: i64,
    /// Before when, in microseconds since 1970.
    pub to: i64,
}

impl Message for ReportUsage {
    type Result = Result<Vec<UsageSum>, StoreError>;
}

/// Adds up what routing and the cache saved.
pub struct ReportSavings {
    /// From when, in microseconds since 1970.
    pub from: i64,
    /// Before when, in microseconds since 1970.
    pub to: i64,
}

impl Message for ReportSavings {
    type Result = Result<Savings, StoreError>;
}

/// Reads the newest entries of the audit log.
pub struct ListAudit {
    /// How many at most.
    pub most: u32,
}

impl Message for ListAudit {
    type Result = Result<Vec<AuditEntry>, StoreError>;
}

/// Notes in the audit log what was done through the admin API.
pub struct NoteAudit {
    /// What was done.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
}

impl Message for NoteAudit {
    type Result = Result<(), StoreError>;
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
