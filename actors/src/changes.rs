//! Tells the other processes of a fleet through Redis that keys, limits or prices have changed, and hears of theirs
//! (G10). Without Redis they look now and then.

use std::rc::Rc;
use std::time::Duration;

use actix::{Addr, Message};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval};

use crate::budget_ledger::BudgetLedger;
use crate::cache::forget::Forget;
use crate::cache_actor::{AskRedisAgain, CacheActor, ForgetHere};
use crate::key_registry::KeyRegistry;
use crate::redis_link::RedisLink;

/// What is published on, and heard of.
const CHANNEL: &str = "gateway:changes";

/// How often a lost subscription is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What an announcement of answers to be forgotten begins with.
const FORGET: &str = "forget:";

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A virtual key, or the limits of a user or team.
    Keys,
    /// A budget or a price.
    Money,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Money => "money",
        }
    }
}

/// Looks at once for what another process has changed.
pub struct Refresh;

impl Message for Refresh {
    type Result = ();
}

/// Tells others of changes, where there is a Redis to do it by.
#[derive(Clone, Default)]
pub struct Announcer {
    /// The link to Redis.
    pub link: Option<Rc<RedisLink>>,
}

impl Announcer {
    /// Tells the other processes, without waiting for them. While Redis is away they find out by themselves.
    pub fn announce(&self, change: Change) {
        self.publish(change.word().to_owned());
    }

    /// Tells all processes, this one too, which answers to forget.
    pub fn forget(&self, forget: &Forget) {
        self.publish(format!("{FORGET}{}", forget.to_text()));
    }

    fn publish(&self, text: String) {
        let Some(link) = self.link.clone() else { return };
        actix::spawn(async move {
            let published = link.ask(|mut connection| async move {
                let mut publish = redis::cmd("PUBLISH");
                publish.arg(CHANNEL).arg(text).query_async::<()>(&mut connection).await
            });
            if let Err(away) = published.await {
                log::debug!("a change is not announced: {away}");
            }
        });
    }
}

/// Who is told of what other processes have changed.
pub struct Hearers {
    /// Of keys and limits.
    pub registry: Addr<KeyRegistry>,
    /// Of budgets and prices.
    pub ledger: Addr<BudgetLedger>,
    /// Of answers that are to be forgotten.
    pub cache: Addr<CacheActor>,
}

impl Hearers {
    fn hear(&self, text: &str) {
        if text == Change::Keys.word() {
            self.registry.do_send(Refresh);
        } else if text == Change::Money.word() {
            self.ledger.do_send(Refresh);
        } else if let Some(forget) = text.strip_prefix(FORGET).and_then(Forget::of_text) {
            self.cache.do_send(ForgetHere(forget));
        }
    }
}

/// Hears of changes for as long as the process runs.
pub async fn listen(link: Rc<RedisLink>, hearers: Hearers) {
    let mut ticks = interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !link.state().is_up() {
            continue;
        }
        let Ok(Ok(mut listener)) = tokio::time::timeout(AGAIN, link.subscribe(CHANNEL)).await else { continue };
        // What was announced before is not heard any more: answers that were forgotten meanwhile must not be given.
        hearers.cache.do_send(AskRedisAgain);
        hearers.registry.do_send(Refresh);
        hearers.ledger.do_send(Refresh);
        let mut heard = listener.on_message();
        loop {
            tokio::select! {
                message = heard.next() => match message.map(|message| message.get_payload::<String>()) {
                    Some(Ok(text)) => hearers.hear(&text),
                    Some(Err(error)) => log::warn!("an announcement cannot be read: {error}"),
                    None => break,
                },
                _ = ticks.tick() => if !link.state().is_up() {
                    break;
                },
            }
        }
    }
}
