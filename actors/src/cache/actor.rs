//! `CacheActor`: the answers that a fleet shares, in Redis.

mod shared_questions;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use redis::AsyncCommands;
use sha2::{Digest, Sha256};

use super::invalidation::Forget;
use super::lookup::{forget_here, seconds};
use super::memory::Shelf;
use super::semantic::index::{Answered, Index};
use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::cache::shadow::Shadow;
use crate::fleet::announce::Announcer;
use crate::fleet::redis_link::{Away, RedisLink};
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;
use shared_questions::{follow, tell};

/// How often a lost connection is mended.
const MEND: Duration = Duration::from_millis(200);

/// Keys that are looked at in one step when some are forgotten.
const AT_ONCE: usize = 500;

/// Reads an answer.
pub struct Recall {
    /// Its key.
    pub key: CacheKey,
    /// The namespace that it is in.
    pub namespace: String,
}

impl Message for Recall {
    type Result = Option<Entry>;
}

/// Writes an answer.
pub struct Keep {
    /// Its key.
    pub key: CacheKey,
    /// The answer.
    pub entry: Arc<Entry>,
    /// Its question, where others may find it by its meaning.
    pub question: Option<Answered>,
}

impl Message for Keep {
    type Result = ();
}

/// Writes down the question of an answer that is there already.
pub struct KeepQuestion {
    /// The question.
    pub question: Answered,
    /// The namespace that its answer is in.
    pub namespace: String,
}

impl Message for KeepQuestion {
    type Result = ();
}

/// Forgets answers in Redis and in all processes; gives how many were in Redis.
pub struct ForgetEverywhere(pub Forget);

impl Message for ForgetEverywhere {
    type Result = Result<usize, Away>;
}

/// Forgets one answer in Redis and in all other processes.
pub struct Withdraw {
    /// Its key.
    pub key: CacheKey,
    /// The namespace that it is in.
    pub namespace: String,
}

impl Message for Withdraw {
    type Result = ();
}

/// Forgets answers in this process, as another one has asked.
pub struct ForgetHere(pub Forget);

impl Message for ForgetHere {
    type Result = ();
}

/// Forgets this process' own copies of answers, since some of them may have been forgotten in Redis.
pub struct AskRedisAgain;

impl Message for AskRedisAgain {
    type Result = ();
}

/// The actor. Its messages run beside each other.
pub struct CacheActor {
    /// A link to Redis of its own: an answer may be large, and what is asked for limits must not wait behind it.
    pub link: Rc<RedisLink>,
    /// Tells the other processes what to forget.
    pub announcer: Announcer,
    /// This process' answers.
    pub shelf: Arc<Shelf>,
    /// This process' questions.
    pub index: Arc<Index>,
    /// What was found of this process' answers.
    pub shadow: Arc<Shadow>,
    /// Its counters.
    pub stats: Arc<ActorStats>,
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        actix::spawn(follow(self.link.clone(), self.index.clone()));
        let link = self.link.clone();
        let mending = async move {
            let mut ticks = tokio::time::interval(MEND);
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

impl Handler<Recall> for CacheActor {
    type Result = ResponseFuture<Option<Entry>>;

    fn handle(&mut self, recall: Recall, _: &mut Context<Self>) -> Self::Result {
        let (link, stats) = (self.link.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let name = name(recall.key, &recall.namespace);
            let read = link.ask(|mut redis| async move { redis.get::<_, Option<String>>(name).await }).await;
            let text = read.inspect_err(|away| handling.fail(&away.to_string())).ok()??;
            serde_json::from_str(&text).inspect_err(|_| handling.fail("an answer in Redis cannot be read")).ok()
        })
    }
}

impl Handler<Keep> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Keep { key, entry, question }: Keep, _: &mut Context<Self>) -> Self::Result {
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

impl Handler<KeepQuestion> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, KeepQuestion { question, namespace }: KeepQuestion, _: &mut Context<Self>) -> Self::Result {
        let (link, stats) = (self.link.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            if let Err(away) = tell(&link, &question, &namespace).await {
                handling.fail(&away.to_string());
            }
        })
    }
}

impl Handler<ForgetEverywhere> for CacheActor {
    type Result = ResponseFuture<Result<usize, Away>>;

    fn handle(&mut self, ForgetEverywhere(forget): ForgetEverywhere, _: &mut Context<Self>) -> Self::Result {
        let (link, announcer, stats) = (self.link.clone(), self.announcer.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            // First here, so that no process takes it from Redis again after it has forgotten it.
            let questions = forget_in_redis(&link, &pattern("embeddings", &forget)).await;
            let forgotten = forget_in_redis(&link, &pattern("simple", &forget)).await;
            announcer.forget(&forget.to_text());
            questions.and(forgotten).inspect_err(|away| handling.fail(&away.to_string()))
        })
    }
}

impl Handler<Withdraw> for CacheActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Withdraw { key, namespace }: Withdraw, _: &mut Context<Self>) -> Self::Result {
        let (link, announcer, stats) = (self.link.clone(), self.announcer.clone(), self.stats.clone());
        Box::pin(async move {
            let handling = stats.handling();
            let names = [question_name(key, &namespace), name(key, &namespace)];
            if let Err(away) = link.ask(|mut redis| async move { redis.unlink::<_, ()>(&names).await }).await {
                handling.fail(&away.to_string());
            }
            announcer.forget(&Forget::Key(key.to_hex()).to_text());
        })
    }
}

impl Handler<ForgetHere> for CacheActor {
    type Result = ();

    fn handle(&mut self, ForgetHere(forget): ForgetHere, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        forget_here(&self.shelf, Some((&self.index, &self.shadow)), &forget);
    }
}

impl Handler<AskRedisAgain> for CacheActor {
    type Result = ();

    fn handle(&mut self, AskRedisAgain: AskRedisAgain, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        self.shelf.forget(|_, _| true);
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
fn pattern(kind: &str, forget: &Forget) -> String {
    match forget {
        Forget::All => format!("cache:{kind}:*"),
        Forget::Namespace(namespace) => format!("{}:*", of_namespace(kind, namespace)),
        Forget::Key(hex) => format!("cache:{kind}:*:{}", hex.to_ascii_lowercase()),
    }
}

async fn forget_in_redis(link: &RedisLink, pattern: &str) -> Result<usize, Away> {
    let (mut cursor, mut count) = (0_u64, 0);
    loop {
        let step = link.ask(|mut redis| async move {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(AT_ONCE);
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
