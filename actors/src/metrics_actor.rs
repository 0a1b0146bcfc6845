//! `MetricsActor`: owns the sampled gauges; what the hot path counts, it counts itself through cached handles.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler, Message};

use crate::actor_stats::{ActorStats, takes_parcels};
use crate::in_flight::InFlight;
use crate::metrics::Metrics;
use crate::router::Routing;

/// Asks for every metric in Prometheus' text format.
pub struct Scrape {
    /// The actors whose mailboxes are shown.
    pub actors: Vec<Arc<ActorStats>>,
}

impl Message for Scrape {
    type Result = Result<String, prometheus::Error>;
}

/// Samples gauges and writes the metrics out.
pub struct MetricsActor {
    /// The process' metrics.
    pub metrics: Arc<Metrics>,
    /// Providers, for their breakers.
    pub routing: Arc<Routing>,
    /// Client requests under way.
    pub in_flight: InFlight,
    /// This actor's counters.
    pub stats: Arc<ActorStats>,
}

impl Actor for MetricsActor {
    type Context = Context<Self>;
}

takes_parcels!(MetricsActor);

impl Handler<Scrape> for MetricsActor {
    type Result = Result<String, prometheus::Error>;

    fn handle(&mut self, scrape: Scrape, _: &mut Context<Self>) -> Self::Result {
        let handling = self.stats.handling();
        let now = Instant::now();
        for (name, provider) in &self.routing.providers {
            self.metrics.show_provider(name, provider.breaker_state(now).gauge(), provider.in_flight());
        }
        for actor in &scrape.actors {
            self.metrics.show_mailbox(actor.name(), actor.mailbox_depth());
        }
        for (table, count) in self.routing.treasury.ledger.store.bad_rows.counts() {
            self.metrics.show_bad_rows(table, count);
        }
        let cache = &self.routing.cache;
        let questions = cache.meanings.as_ref().map_or(0, |meanings| meanings.index.len());
        self.metrics.show_cache(cache.shelf.size(), cache.shelf.evicted(), questions);
        if let Some(meanings) = &cache.meanings {
            self.metrics.show_precision(meanings.shadow.precision());
            self.metrics.show_embed_queue(meanings.pool.stats().mailbox_depth());
        }
        self.metrics.in_flight.set(i64::try_from(self.in_flight.count()).unwrap_or(i64::MAX));
        self.metrics.text().inspect_err(|error| handling.fail(&error.to_string()))
    }
}
