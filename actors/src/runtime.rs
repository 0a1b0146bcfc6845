//! What every actor has: a mailbox that bounds and counts what it is asked, and its figures for `GET /admin/actors`.

mod histogram;
pub mod mailbox;
pub mod registry;
pub mod stats;
pub(crate) mod throttle;

#[cfg(test)]
mod tests;
