//! Tells the other processes of a fleet through Redis that keys, limits or prices have changed, and hears of theirs
//! (G10). Without Redis they look now and then.

use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::{Addr, Message};
use futures_util::{Stream, StreamExt};
use redis::aio::PubSubSink;
use redis::{Msg, Script};
use tokio::time::{MissedTickBehavior, interval};

use crate::budgets::ledger_actor::BudgetLedger;
use crate::cache::actor::{AskRedisAgain, CacheActor, ForgetHere};
use crate::cache::invalidation::Forget;
use crate::fleet::redis_link::{Away, RedisLink, awake};
use crate::keys::registry::KeyRegistry;

/// What is published on, and heard of.
const CHANNEL: &str = "gateway:changes";

/// How often a lost subscription is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often Redis is asked on the connection of the subscription whether it is still there, and how long it may take: a
/// connection that some device between has forgotten is silent for ever.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The number of the last announcement of answers to be forgotten.
const EPOCH: &str = "gateway:forgotten";

/// Reads that number. Where there is none it begins with the time, so that a Redis that lost it is not taken for one
/// that nobody announced anything to.
static READ_EPOCH: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1])"));

/// Announces answers to be forgotten, under the next number.
static FORGET_ALL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('SET', KEYS[1], ARGV[1], 'NX') redis.call('INCR', KEYS[1]) \
         return redis.call('PUBLISH', ARGV[2], ARGV[3])",
    )
});

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
        let Some(link) = self.link.clone() else { return };
        let text = format!("{FORGET}{}", forget.to_text());
        actix::spawn(async move {
            let mut call = FORGET_ALL.prepare_invoke();
            call.key(EPOCH).arg(first_epoch()).arg(CHANNEL).arg(text);
            let announced = link.ask(|mut redis| async move { call.invoke_async::<()>(&mut redis).await });
            if let Err(away) = announced.await {
                log::debug!("what to forget is not announced: {away}");
            }
        });
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
    fn hear(&self, text: &str, epoch: &mut Option<u64>) {
        if text == Change::Keys.word() {
            self.registry.do_send(Refresh);
        } else if text == Change::Money.word() {
            self.ledger.do_send(Refresh);
        } else if let Some(forget) = text.strip_prefix(FORGET) {
            *epoch = epoch.map(|epoch| epoch.wrapping_add(1));
            if let Some(forget) = Forget::of_text(forget) {
                self.cache.do_send(ForgetHere(forget));
            }
        }
    }

    /// Looks for what was announced while nobody heard of it. Copies of answers are given up only where some were to be
    /// forgotten meanwhile, or where nobody knows.
    async fn catch_up(&self, link: &RedisLink, epoch: &mut Option<u64>) {
        let now = read_epoch(link).await.ok();
        if now.is_none() || now != *epoch {
            self.cache.do_send(AskRedisAgain);
        }
        *epoch = now;
        self.registry.do_send(Refresh);
        self.ledger.do_send(Refresh);
    }
}

async fn read_epoch(link: &RedisLink) -> Result<u64, Away> {
    let mut call = READ_EPOCH.prepare_invoke();
    call.key(EPOCH).arg(first_epoch());
    link.ask(|mut redis| async move { call.invoke_async(&mut redis).await }).await
}

fn first_epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// Hears of changes for as long as the process runs.
pub async fn listen(link: Rc<RedisLink>, hearers: Hearers) {
    let mut epoch = None;
    let mut ticks = interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !link.state().is_up() {
            continue;
        }
        let Some(Ok(listener)) = awake(AGAIN, link.subscribe(CHANNEL)).await else {
            link.state().set_deaf(true);
            continue;
        };
        hearers.catch_up(&link, &mut epoch).await;
        link.state().set_deaf(false);
        let (sink, heard) = listener.split();
        hear_until_lost(&link, &hearers, &mut epoch, sink, heard).await;
        link.state().set_deaf(true);
    }
}

/// Hears of changes until the subscription, or Redis, is away.
async fn hear_until_lost(
    link: &RedisLink,
    hearers: &Hearers,
    epoch: &mut Option<u64>,
    mut sink: PubSubSink,
    mut heard: impl Stream<Item = Msg> + Unpin,
) {
    let mut ticks = interval(AGAIN);
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = heard.next() => match message.map(|message| message.get_payload::<String>()) {
                Some(Ok(text)) => hearers.hear(&text, epoch),
                Some(Err(error)) => log::warn!("an announcement cannot be read: {error}"),
                None => return,
            },
            _ = beats.tick() => if !matches!(awake(HEARTBEAT, sink.ping::<redis::Value>()).await, Some(Ok(_))) {
                log::warn!("the subscription to changes is silent: it is made anew");
                return;
            },
            _ = ticks.tick() => if !link.state().is_up() {
                return;
            },
        }
    }
}
