//! Hears through Redis of what other processes of a fleet have changed (G10), and tells the actors that it concerns.

#![expect(clippy::disallowed_methods, reason = "whom it tells must not refuse")]

use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use futures_util::{Stream, StreamExt};
use redis::Msg;
use redis::aio::PubSubSink;
use tokio::time::{MissedTickBehavior, interval};

use crate::budgets::ledger_actor::BudgetLedger;
use crate::cache::actor::{CacheActor, DropLocalCopies, InvalidateLocal};
use crate::cache::invalidation::Invalidation;
use crate::fleet::announce::{CHANNEL, Change, FORGET, Refresh, read_epoch};
use crate::fleet::redis_link::{RedisLink, awake};
use crate::keys::registry::KeyRegistry;

/// How often a lost subscription is tried again.
const RESUBSCRIBE_INTERVAL: Duration = Duration::from_millis(500);

/// How often Redis is asked on the connection of the subscription whether it is still there, and how long it may take: a
/// connection that some device between has forgotten is silent for ever.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// Who is told of what other processes have changed.
pub struct ChangeListeners {
    /// Of keys and limits.
    pub registry: Addr<KeyRegistry>,
    /// Of budgets and prices.
    pub ledger: Addr<BudgetLedger>,
    /// Of answers that are to be forgotten.
    pub cache: Addr<CacheActor>,
}

impl ChangeListeners {
    fn hear(&self, text: &str, epoch: &mut Option<u64>) {
        if text == Change::Keys.as_str() {
            self.registry.do_send(Refresh);
        } else if text == Change::Money.as_str() {
            self.ledger.do_send(Refresh);
        } else if let Some(forget) = text.strip_prefix(FORGET) {
            *epoch = epoch.map(|epoch| epoch.wrapping_add(1));
            if let Ok(invalidation) = forget.parse::<Invalidation>() {
                self.cache.do_send(InvalidateLocal(invalidation));
            }
        }
    }

    /// Looks for what was announced while nobody heard of it. Copies of answers are given up only where some were to be
    /// forgotten meanwhile, or where nobody knows.
    async fn catch_up(&self, link: &RedisLink, epoch: &mut Option<u64>) {
        let now = read_epoch(link).await.ok();
        if now.is_none() || now != *epoch {
            self.cache.do_send(DropLocalCopies);
        }
        *epoch = now;
        self.registry.do_send(Refresh);
        self.ledger.do_send(Refresh);
    }
}

/// Hears of changes for as long as the process runs.
pub async fn listen(link: Rc<RedisLink>, listeners: ChangeListeners) {
    let mut epoch = None;
    let mut ticks = interval(RESUBSCRIBE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !link.state().is_up() {
            continue;
        }
        let Some(Ok(listener)) = awake(RESUBSCRIBE_INTERVAL, link.subscribe(CHANNEL)).await else {
            link.state().set_deaf(true);
            continue;
        };
        listeners.catch_up(&link, &mut epoch).await;
        link.state().set_deaf(false);
        let (sink, heard) = listener.split();
        hear_until_lost(&link, &listeners, &mut epoch, sink, heard).await;
        link.state().set_deaf(true);
    }
}

/// Hears of changes until the subscription, or Redis, is away.
async fn hear_until_lost(
    link: &RedisLink,
    listeners: &ChangeListeners,
    epoch: &mut Option<u64>,
    mut sink: PubSubSink,
    mut heard: impl Stream<Item = Msg> + Unpin,
) {
    let mut ticks = interval(RESUBSCRIBE_INTERVAL);
    let mut beats = interval(HEARTBEAT_INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = heard.next() => match message.map(|message| message.get_payload::<String>()) {
                Some(Ok(text)) => listeners.hear(&text, epoch),
                Some(Err(error)) => log::warn!("an announcement cannot be read: {error}"),
                None => return,
            },
            _ = beats.tick() => if !matches!(awake(HEARTBEAT_INTERVAL, sink.ping::<redis::Value>()).await, Some(Ok(_))) {
                log::warn!("the subscription to changes is silent: subscribing again");
                return;
            },
            _ = ticks.tick() => if !link.state().is_up() {
                return;
            },
        }
    }
}
