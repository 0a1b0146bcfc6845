//! `MetricsActor`: owns the sampled gauges; what the hot path counts, it counts itself through cached handles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler, Message};
use actix_rt::ArbiterHandle;

use crate::limits::in_flight::InFlight;
use crate::metrics::Metrics;
use crate::request::router::Routing;
use crate::runtime::mailbox::{Mailbox, MailboxSettings, takes_parcels};
use crate::runtime::registry::{ActorRegistry, Role};
use crate::runtime::stats::ActorStats;

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
    metrics: Arc<Metrics>,
    /// Providers, for their breakers.
    routing: Arc<Routing>,
    in_flight: InFlight,
    stats: Arc<ActorStats>,
}

impl MetricsActor {
    /// Starts the actor on an arbiter, again whenever it has ended, and registers it.
    pub fn open(
        metrics: Arc<Metrics>,
        routing: Arc<Routing>,
        in_flight: InFlight,
        settings: MailboxSettings,
        arbiter: ArbiterHandle,
        actors: &ActorRegistry,
    ) -> Mailbox<Self> {
        let stats = ActorStats::new("metrics", "control", settings.limit);
        let start = {
            let stats = stats.clone();
            move || {
                let (metrics, routing) = (metrics.clone(), routing.clone());
                let actor = Self { metrics, routing, in_flight: in_flight.clone(), stats: stats.clone() };
                Self::start_in_arbiter(&arbiter, move |_| actor)
            }
        };
        let mailbox = Mailbox::restarting(start, stats, settings.ask_timeout);
        actors.add(Role::Restarted, mailbox.clone());
        mailbox
    }
}

impl Actor for MetricsActor {
    type Context = Context<Self>;
}

takes_parcels!(MetricsActor);

/// Samples the gauges; whoever scrapes may do so where the actor does not answer.
pub fn sample(metrics: &Metrics, routing: &Routing, in_flight: &InFlight, actors: &[Arc<ActorStats>]) {
    let now = Instant::now();
    metrics.forget_models();
    for (name, provider) in &routing.providers {
        metrics.show_provider(name, provider.breaker_state(now).gauge(), provider.in_flight());
        let models = provider.breakers_of_models(now).into_iter();
        metrics.show_models(name, models.map(|(model, report)| (model, report.breaker.gauge())));
    }
    // The routers of all workers have one name.
    let mut sums = BTreeMap::new();
    for actor in actors {
        let (depth, alive) = sums.entry(actor.name()).or_insert((0, true));
        *depth += actor.mailbox_depth();
        *alive &= actor.is_alive();
    }
    for (name, (depth, alive)) in sums {
        metrics.show_actor(name, depth, alive);
    }
    for (table, count) in routing.budgets.ledger.store.bad_rows.counts() {
        metrics.show_bad_rows(table, count);
    }
    let cache = &routing.cache;
    metrics.show_cache(cache.local.memory.size(), cache.local.memory.evicted(), cache.local.questions());
    if let Some(semantic) = &cache.local.semantic {
        let precision = semantic.shadow.precision();
        metrics.show_precision(precision.estimate(), precision.lower_bound());
        metrics.show_embed_queue(semantic.pool.stats().mailbox_depth());
    }
    metrics.in_flight.set(i64::try_from(in_flight.count()).unwrap_or(i64::MAX));
}

impl Handler<Scrape> for MetricsActor {
    type Result = Result<String, prometheus::Error>;

    fn handle(&mut self, scrape: Scrape, _: &mut Context<Self>) -> Self::Result {
        let handling = self.stats.handling();
        sample(&self.metrics, &self.routing, &self.in_flight, &scrape.actors);
        self.metrics.text().inspect_err(|error| handling.fail(&error.to_string()))
    }
}
