//! `CacheActor`: the answers that a fleet shares, in Redis.

#![expect(clippy::disallowed_methods, reason = "the owner of the cache in Redis")]

mod shared_questions;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use redis::AsyncCommands;
use sha2::{Digest, Sha256};

use super::invalidation::Invalidation;
use super::local::LocalCache;
use super::lookup::seconds;
use super::semantic::index::AnsweredQuestion;
use crate::cache::entry::CacheEntry;
use crate::cache::key::CacheKey;
use crate::fleet::announce::Announcer;
use crate::fleet::redis_link::{Away, RedisLink};
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;
use shared_questions::{follow, tell};

/// How often a lost connection is mended.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// Keys that are looked at in one step when some are forgotten.
const BATCH_SIZE: usize = 500;

/// Reads an answer.
pub struct GetAnswer {
    /// Its key.
    pub key: CacheKey,
    /// The namespace that it is in.
    pub namespace: String,
}

impl Message for GetAnswer {
    type Result = Option<CacheEntry>;
}

/// Writes an answer.
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

/// Writes down the question of an answer that is there already.
pub struct PutQuestion {
    /// The question.
    pub question: AnsweredQuestion,
    /// The namespace that its answer is in.
    pub namespace: String,
}

impl Message for PutQuestion {
    type Result = ();
}

/// Forgets answers in Redis and in all processes; gives how many were in Redis.
pub struct InvalidateFleet(pub Invalidation);

impl Message for InvalidateFleet {
    type Result = Result<usize, Away>;
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

/// The actor. Its messages run beside each other.
pub struct CacheActor {
    /// A link to Redis of its own: an answer may be large, and what is asked for limits must not wait behind it.
    pub link: Rc<RedisLink>,
    /// Tells the other processes what to forget.
    pub announcer: Announcer,
    /// This process' answers.
    pub local: LocalCache,
    /// Its counters.
    pub stats: Arc<ActorStats>,
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        actix::spawn(follow(self.link.clone(), self.local.index.clone()));
        let link = self.link.clone();
        let mending = async move {
            let mut ticks = tokio::time::interval(RECONNECT_INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                link.mend().await;
            }
        };
        ctx.spawn(actix::fut::wrap_future(mending));
    }
}

takes_parcels!(CacheActor);

impl Handler<GetAnswer> for CacheActor {
    type Result = ResponseFuture<Option<CacheEntry>>;

    fn handle(&mut self, get: GetAnswer, _: &mut Context<Self>) -> Self::Result {
        let (link, stats) = (self.link.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let name = name(get.key, &get.namespace);
            let read = link.ask(|mut redis| async move { redis.get::<_, Option<String>>(name).await }).await;
            let text = read.inspect_err(|away| handling.fail(&away.to_string())).ok()??;
            serde_json::from_str(&text).inspect_err(|_| handling.fail("an answer in Redis cannot be read")).ok()
        })
    }
}

impl Handler<PutAnswer> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, PutAnswer { key, entry, question }: PutAnswer, _: &mut Context<Self>) -> Self::Result {
        let (link, stats) = (self.link.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let (name, ttl) = (name(key, &entry.namespace), seconds_until(entry.expires_at));
            let Ok(text) = serde_json::to_string(&*entry) else { return handling.fail("an answer cannot be written") };
            let kept = link.ask(|mut redis| async move { redis.set_ex::<_, _, ()>(name, text, ttl).await }).await;
            let told = match (kept, question) {
                (Ok(()), Some(question)) => tell(&link, &question, &entry.namespace).await,
                (kept, _) => kept,
            };
            if let Err(away) = told {
                handling.fail(&away.to_string());
            }
        })
    }
}

impl Handler<PutQuestion> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, PutQuestion { question, namespace }: PutQuestion, _: &mut Context<Self>) -> Self::Result {
        let (link, stats) = (self.link.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            if let Err(away) = tell(&link, &question, &namespace).await {
                handling.fail(&away.to_string());
            }
        })
    }
}

impl Handler<InvalidateFleet> for CacheActor {
    type Result = ResponseFuture<Result<usize, Away>>;

    fn handle(&mut self, InvalidateFleet(invalidation): InvalidateFleet, _: &mut Context<Self>) -> Self::Result {
        let (link, announcer, stats) = (self.link.clone(), self.announcer.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            // First here, so that no process takes it from Redis again after it has forgotten it.
            let questions = forget_in_redis(&link, &pattern("embeddings", &invalidation)).await;
            let forgotten = forget_in_redis(&link, &pattern("simple", &invalidation)).await;
            announcer.forget(&invalidation.to_string());
            questions.and(forgotten).inspect_err(|away| handling.fail(&away.to_string()))
        })
    }
}

impl Handler<RemoveAnswer> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, RemoveAnswer { key, namespace }: RemoveAnswer, _: &mut Context<Self>) -> Self::Result {
        let (link, announcer, stats) = (self.link.clone(), self.announcer.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let names = [question_name(key, &namespace), name(key, &namespace)];
            if let Err(away) = link.ask(|mut redis| async move { redis.unlink::<_, ()>(&names).await }).await {
                handling.fail(&away.to_string());
            }
            announcer.forget(&Invalidation::Key(key.to_hex()).to_string());
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

/// The names below which a namespace's answers, or questions, are.
fn of_namespace(kind: &str, namespace: &str) -> String {
    format!("cache:{kind}:{}", short(namespace))
}

/// An answer's name in Redis; that of its namespace is in it, so that all of one can be found.
fn name(key: CacheKey, namespace: &str) -> String {
    format!("{}:{}", of_namespace("simple", namespace), key.to_hex())
}

/// How long something may stay in Redis, which takes no less than a second.
pub(super) fn seconds_until(expires_at: u64) -> u64 {
    expires_at.saturating_sub(seconds()).max(1)
}

/// The name of an answer's question.
pub(super) fn question_name(key: CacheKey, namespace: &str) -> String {
    format!("{}:{}", of_namespace("embeddings", namespace), key.to_hex())
}

fn short(namespace: &str) -> String {
    const_hex::encode(Sha256::digest(namespace)).chars().take(16).collect()
}

/// The names of what is to be forgotten, answers or questions; a key is hexadecimal digits, so that nothing in it is a
/// pattern.
fn pattern(kind: &str, invalidation: &Invalidation) -> String {
    match invalidation {
        Invalidation::All => format!("cache:{kind}:*"),
        Invalidation::Namespace(namespace) => format!("{}:*", of_namespace(kind, namespace)),
        Invalidation::Key(hex) => format!("cache:{kind}:*:{}", hex.to_ascii_lowercase()),
    }
}

async fn forget_in_redis(link: &RedisLink, pattern: &str) -> Result<usize, Away> {
    let (mut cursor, mut count) = (0_u64, 0);
    loop {
        let step = link.ask(|mut redis| async move {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(BATCH_SIZE);
            let (next, names): (u64, Vec<String>) = scan.query_async(&mut redis).await?;
            let gone = if names.is_empty() { 0 } else { redis.unlink::<_, usize>(names).await? };
            Ok((next, gone))
        });
        let (next, gone) = step.await?;
        count += gone;
        cursor = next;
        if cursor == 0 {
            return Ok(count);
        }
    }
}
