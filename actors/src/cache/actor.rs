//! `CacheActor`: owns this process' answers, their questions and the pool that embeds these; with Redis, also the answers that
//! a fleet shares.

pub(crate) mod shared_answers;
mod shared_questions;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use tokio::time::{MissedTickBehavior, interval};

use super::invalidation::Invalidation;
use super::local::LocalCache;
use super::lookup::seconds;
use super::semantic::backfill::BackfillQueue;
use super::semantic::index::AnsweredQuestion;
use crate::cache::entry::CacheEntry;
use crate::cache::key::CacheKey;
use crate::fleet::redis_link::{Away, RedisLink};
use crate::runtime::mailbox::{Mailbox, MailboxSettings, takes_parcels};
use crate::runtime::registry::{ActorRegistry, Role};
use crate::runtime::stats::ActorStats;
use shared_answers::SharedAnswers;
use shared_questions::follow;

/// How often a lost connection is mended.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// How often questions are forgotten whose answers have expired.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// Reads an answer that the fleet shares.
pub struct GetAnswer {
    /// Its key.
    pub key: CacheKey,
    /// The namespace that it is in.
    pub namespace: String,
}

impl Message for GetAnswer {
    type Result = Option<CacheEntry>;
}

/// Writes an answer for the fleet.
pub struct PutAnswer {
    /// Its key.
    pub key: CacheKey,
    /// The answer.
    pub entry: Arc<CacheEntry>,
    /// Its question, where others may find it by its meaning.
    pub question: Option<AnsweredQuestion>,
}

impl Message for PutAnswer {
    type Result = ();
}

/// Forgets answers in this process, and in the whole fleet where answers are shared.
pub struct Invalidate(pub Invalidation);

impl Message for Invalidate {
    type Result = Result<Invalidated, Away>;
}

/// How many answers were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// In this process.
    pub here: usize,
    /// In Redis, where there is one.
    pub in_redis: Option<usize>,
}

/// Forgets one answer in Redis and in all other processes.
pub struct RemoveAnswer {
    /// Its key.
    pub key: CacheKey,
    /// The namespace that it is in.
    pub namespace: String,
}

impl Message for RemoveAnswer {
    type Result = ();
}

/// Forgets answers in this process, as another one has asked.
pub struct InvalidateLocal(pub Invalidation);

impl Message for InvalidateLocal {
    type Result = ();
}

/// Forgets this process' own copies of answers, since some of them may have been forgotten in Redis.
pub struct DropLocalCopies;

impl Message for DropLocalCopies {
    type Result = ();
}

/// The actor. Its messages run beside each other; those that concern Redis alone do nothing without it.
pub struct CacheActor {
    /// This process' answers, their questions, and the pool that embeds these.
    local: LocalCache,
    /// The answers that the fleet shares; none without Redis.
    shared: Option<SharedAnswers>,
    /// Questions to embed afterwards, until the actor starts.
    backfill: Option<BackfillQueue>,
    stats: Arc<ActorStats>,
}

impl CacheActor {
    /// Starts the actor on this thread, and registers it with its pool.
    pub(super) fn open(
        local: LocalCache,
        shared: Option<SharedAnswers>,
        backfill: Option<BackfillQueue>,
        settings: MailboxSettings,
        actors: &ActorRegistry,
    ) -> Mailbox<Self> {
        let stats = ActorStats::new("cache", "control", settings.limit);
        let actor = Self { local: local.clone(), shared, backfill, stats: stats.clone() };
        let mailbox = Mailbox::new(actor.start(), stats, settings.ask_timeout);
        let pool = local.semantic.as_ref().map(|semantic| semantic.pool.clone());
        actors.add_with_state(Role::Required, mailbox.clone(), move || local.figures());
        if let Some(pool) = pool {
            actors.add(Role::Optional, pool);
        }
        mailbox
    }
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EXPIRY_INTERVAL, |actor, _| actor.local.expire(seconds()));
        if let Some(semantic) = &self.local.semantic {
            semantic.pool.load_at_start();
        }
        if let Some(backfill) = self.backfill.take() {
            ctx.spawn(wrap_future(backfill.embed(self.shared.clone(), self.stats.clone())));
        }
        if let Some(SharedAnswers { link, .. }) = self.shared.clone() {
            if let Some(semantic) = &self.local.semantic {
                ctx.spawn(wrap_future(follow(link.clone(), semantic.index.clone())));
            }
            ctx.spawn(wrap_future(mend(link)));
        }
    }
}

/// Mends a lost connection, for as long as the process runs.
async fn mend(link: Rc<RedisLink>) {
    let mut ticks = interval(RECONNECT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        link.mend().await;
    }
}

takes_parcels!(CacheActor);

impl Handler<GetAnswer> for CacheActor {
    type Result = ResponseFuture<Option<CacheEntry>>;

    fn handle(&mut self, get: GetAnswer, _: &mut Context<Self>) -> Self::Result {
        let (shared, stats) = (self.shared.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let read = shared?.get(get.key, &get.namespace).await;
            read.inspect_err(|why| handling.fail(why)).ok().flatten()
        })
    }
}

impl Handler<PutAnswer> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, PutAnswer { key, entry, question }: PutAnswer, _: &mut Context<Self>) -> Self::Result {
        let (shared, stats) = (self.shared.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let Some(shared) = shared else { return };
            let told = match (shared.put(key, &entry).await, question) {
                (Ok(()), Some(question)) => {
                    shared.put_question(&question, &entry.namespace).await.map_err(|away| away.to_string())
                }
                (kept, _) => kept,
            };
            if let Err(why) = told {
                handling.fail(&why);
            }
        })
    }
}

impl Handler<Invalidate> for CacheActor {
    type Result = ResponseFuture<Result<Invalidated, Away>>;

    fn handle(&mut self, Invalidate(invalidation): Invalidate, _: &mut Context<Self>) -> Self::Result {
        let (local, shared, stats) = (self.local.clone(), self.shared.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let here = local.forget(&invalidation);
            let Some(shared) = shared else { return Ok(Invalidated { here, in_redis: None }) };
            let forgotten = shared.forget(&invalidation).await;
            let in_redis = forgotten.inspect_err(|away| handling.fail(&away.to_string()))?;
            Ok(Invalidated { here, in_redis: Some(in_redis) })
        })
    }
}

impl Handler<RemoveAnswer> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, RemoveAnswer { key, namespace }: RemoveAnswer, _: &mut Context<Self>) -> Self::Result {
        let (shared, stats) = (self.shared.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let Some(shared) = shared else { return };
            if let Err(away) = shared.remove(key, &namespace).await {
                handling.fail(&away.to_string());
            }
        })
    }
}

impl Handler<InvalidateLocal> for CacheActor {
    type Result = ();

    fn handle(&mut self, InvalidateLocal(invalidation): InvalidateLocal, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        self.local.forget(&invalidation);
    }
}

impl Handler<DropLocalCopies> for CacheActor {
    type Result = ();

    fn handle(&mut self, DropLocalCopies: DropLocalCopies, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        self.local.memory.forget(|_, _| true);
    }
}
