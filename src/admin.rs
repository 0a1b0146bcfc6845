//! The admin API, below `/admin`: who may use the gateway, and how. Every path needs the admin token.

mod answer;
mod audit;
mod auth;
mod bad_rows;
mod body;
mod budgets;
mod cache;
mod insight;
mod key_request;
mod key_view;
mod limits;
mod page;
mod pricing;
mod savings;
mod text;
mod usage;
mod virtual_keys;

use std::collections::BTreeSet;

use actix_web::middleware::from_fn;
use actix_web::web;
use gateway_actors::keys::registry::KeyRegistry;
use gateway_actors::runtime::mailbox::Mailbox;

pub use auth::AdminAuth;

use crate::error::not_found;
use answer::AdminError;

/// The longest body that the admin API reads, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What the admin handlers need, given to the app as `web::Data<AdminState>`.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The registry of virtual keys.
    pub keys: Mailbox<KeyRegistry>,
    /// The names of the configured providers, for checking what a key refers to.
    pub providers: BTreeSet<String>,
    /// The slugs of the named routing configs, for the same.
    pub configs: BTreeSet<String>,
}

/// Adds the scope `/admin`; the app needs `web::Data` of [`AdminAuth`] and of [`AdminState`].
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::scope("/admin")
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .configure(virtual_keys::routes)
            .configure(audit::routes)
            .configure(bad_rows::routes)
            .configure(budgets::routes)
            .configure(cache::routes)
            .configure(limits::routes)
            .configure(pricing::routes)
            .configure(usage::routes)
            .configure(savings::routes)
            .configure(insight::routes)
            .default_service(web::route().to(not_found))
            .wrap(from_fn(auth::require_admin_token)),
    );
}

#[cfg(test)]
mod tests;
