//! `[store]`: the database.

use std::fmt;

use gateway_actors::db::Store;
use serde::{Deserialize, Serialize};

use super::check::at_least_one;

/// `[store]`.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST/DATABASE`; `DATABASE_URL` wins over it.
    pub url: String,
    /// Whether a start waits for a database that is unavailable or locked. Otherwise the process exits.
    pub wait_for_store: bool,
    /// Time that a request waits for an unresponsive database, in milliseconds.
    pub query_timeout_ms: u64,
}

impl fmt::Debug for StoreSettings {
    /// Tells the kind of the store; the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split_once("://").map_or("?", |(scheme, _)| scheme);
        f.debug_struct("StoreSettings").field("scheme", &scheme).finish_non_exhaustive()
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: "sqlite://data/gateway.db".to_owned(), wait_for_store: true, query_timeout_ms: 200 }
    }
}

/// The address must name a database of a kind that there is.
pub(super) fn check(store: &StoreSettings, wrong: &mut dyn FnMut(&str, String)) {
    if !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| store.url.starts_with(scheme)) {
        wrong("store.url", "must begin with sqlite:// or postgres:// (also where DATABASE_URL sets it)".to_owned());
    } else if let Err(error) = Store::check_address(&store.url) {
        wrong("store.url", format!("{error} (also where DATABASE_URL sets it)"));
    }
    at_least_one(&[("store.query_timeout_ms", store.query_timeout_ms)], wrong);
}
