//! Tables of budgets: limits, what is spent, and leases.

mod figures;
pub(crate) mod leases;
pub(crate) mod spend;
