//! `RedisLimiter`: asks Redis for this process' parts of the fleet's limits, and gives back what was not used.

#![expect(clippy::disallowed_types, reason = "the owner of the limits in Redis")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use futures_util::{StreamExt, stream};
use redis::Script;

use crate::fleet::redis_link::{Away, RedisLink};
use crate::limits::{Ask, Counters, LimitKind, RedisGrant, WINDOW, now};
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;
use crate::scope::Scope;

/// How often unused grants are given back and a lost connection is mended.
const SWEEP_INTERVAL: Duration = Duration::from_millis(200);

/// Counters that are told to Redis at a time.
const BATCH_SIZE: usize = 64;

/// Seconds for which a grant of a minute's limit lasts: the less, the sooner others have what is not used.
const MINUTE_LEASE_SECONDS: u64 = 2;

/// Seconds for which places of requests under way are held without being renewed.
const PLACE_LEASE_SECONDS: u64 = 10;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis_limiter/grant.lua")));

const KINDS: [LimitKind; 3] = [LimitKind::Requests, LimitKind::Tokens, LimitKind::Parallel];

/// Asks the fleet for a part of a limit; the answer is false where Redis is away.
pub struct Fetch {
    /// Whose limit.
    pub counters: Arc<Counters>,
    /// Which limit.
    pub kind: LimitKind,
    /// The limit itself.
    pub limit: u64,
    /// What a request needs; 0 asks ahead of need.
    pub amount: u64,
}

impl Message for Fetch {
    type Result = bool;
}

/// The actor. Its questions run beside each other, one at a time for each limit.
pub struct RedisLimiter {
    state: Rc<LimiterState>,
}

struct LimiterState {
    link: Rc<RedisLink>,
    /// What was asked for lately, to give back what is not used of it.
    known: RefCell<HashMap<Scope, Weak<Counters>>>,
    stats: Arc<ActorStats>,
}

impl RedisLimiter {
    /// A keeper on the thread that the link belongs to.
    pub fn new(link: Rc<RedisLink>, stats: Arc<ActorStats>) -> Self {
        Self { state: Rc::new(LimiterState { link, known: RefCell::default(), stats }) }
    }
}

impl Actor for RedisLimiter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let state = self.state.clone();
        let sweeping = async move {
            let mut interval = tokio::time::interval(SWEEP_INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                state.link.mend().await;
                state.sweep().await;
            }
        };
        ctx.spawn(actix::fut::wrap_future(sweeping));
    }
}

takes_parcels!(RedisLimiter);

impl Handler<Fetch> for RedisLimiter {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, fetch: Fetch, _: &mut Context<Self>) -> Self::Result {
        let state = self.state.clone();
        Box::pin(async move {
            let handling = state.stats.handling();
            let fetched = state.fetch(fetch).await;
            if let Err(away) = fetched {
                handling.fail(&away.to_string());
            }
            fetched.is_ok()
        })
    }
}

impl LimiterState {
    async fn fetch(&self, fetch: Fetch) -> Result<(), Away> {
        let Fetch { counters, kind, limit, amount } = fetch;
        self.known.borrow_mut().entry(counters.scope().clone()).or_insert_with(|| Arc::downgrade(&counters));
        let _alone = counters.asking(kind).lock().await;
        match counters.ask(kind, limit, amount, now()) {
            Some(ask) => self.run(&counters, kind, limit, &ask).await,
            None => Ok(()),
        }
    }

    /// Tells Redis what is not used any more, and what is still held: many at a time, as each is a round trip (L-6).
    async fn sweep(&self) {
        self.known.borrow_mut().retain(|_, counters| counters.strong_count() > 0);
        let known: Vec<_> = self.known.borrow().values().filter_map(Weak::upgrade).collect();
        let all = known.iter().flat_map(|counters| KINDS.map(|kind| (counters, kind)));
        stream::iter(all).for_each_concurrent(BATCH_SIZE, |(counters, kind)| self.tell(counters, kind)).await;
    }

    /// Tells Redis the news of one counter. While it is away they wait for the next sweep.
    async fn tell(&self, counters: &Counters, kind: LimitKind) {
        let Ok(_alone) = counters.asking(kind).try_lock() else { return };
        if !self.link.state().is_up() {
            return;
        }
        if let Some(ask) = counters.news(kind, now())
            && let Err(away) = self.run(counters, kind, 0, &ask).await
        {
            self.stats.fail(&away.to_string());
        }
    }

    async fn run(&self, counters: &Counters, kind: LimitKind, limit: u64, ask: &Ask) -> Result<(), Away> {
        let sent = now();
        let (window, lease) = match kind {
            LimitKind::Requests | LimitKind::Tokens => (WINDOW, MINUTE_LEASE_SECONDS),
            LimitKind::Parallel => (0, PLACE_LEASE_SECONDS),
        };
        let scope = counters.scope();
        let name = format!("limit:{}:{}:{}", kind.as_str(), scope.kind.as_str(), scope.id);
        let granted = grant(&self.link, &name, limit, (window, lease), ask).await;
        counters.answered(kind, ask, granted.ok(), (sent, now()));
        granted.map(drop)
    }
}

/// Runs the script that grants a part of one limit; `window` and `lease` are seconds.
async fn grant(
    link: &RedisLink,
    name: &str,
    limit: u64,
    (window, lease): (u64, u64),
    ask: &Ask,
) -> Result<RedisGrant, Away> {
    let mut call = SCRIPT.prepare_invoke();
    call.key(name).arg(limit).arg(window).arg(lease).arg(ask.hold).arg(ask.want).arg(ask.least);
    for (second, unused) in &ask.unused {
        call.arg(second).arg(unused);
    }
    let answer: [u64; 6] = link.ask(|mut connection| async move { call.invoke_async(&mut connection).await }).await?;
    let [amount, second, lasts, free, wait, reset] = answer;
    Ok(RedisGrant { amount, second, lasts, free, wait, reset })
}

#[cfg(test)]
mod tests;
