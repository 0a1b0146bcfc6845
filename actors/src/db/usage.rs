//! The usage log and its reports.

pub(crate) mod savings;
mod usage_log;
pub(crate) mod usage_report;
mod usage_rows;
