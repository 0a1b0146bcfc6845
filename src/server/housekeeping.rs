//! What is done now and then for the whole process.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context};

use super::memory;
use super::state::AppState;

/// How often the limits of addresses are looked through.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// Gives memory back, and drops the limits of addresses that have not been seen for a while.
pub struct HousekeepingActor {
    shared: Arc<AppState>,
}

impl HousekeepingActor {
    /// The process's housekeeper.
    pub fn new(shared: Arc<AppState>) -> Self {
        Self { shared }
    }

    fn forget_idle_addresses(&self) {
        for limiter in [&self.shared.ip_limiter, &self.shared.admin_attempts].into_iter().flatten() {
            limiter.forget_idle();
        }
    }
}

impl Actor for HousekeepingActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(memory::PURGE_INTERVAL, |_, _| memory::give_back());
        ctx.run_interval(FORGET_INTERVAL, |actor, _| actor.forget_idle_addresses());
    }
}
