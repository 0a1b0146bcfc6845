//! The answers that a fleet shares, as they are in Redis.

#![expect(clippy::disallowed_methods, reason = "the owner of the cache in Redis")]

use std::rc::Rc;

use redis::AsyncCommands;
use sha2::{Digest, Sha256};

use super::shared_questions;
use crate::cache::entry::CacheEntry;
use crate::cache::invalidation::Invalidation;
use crate::cache::key::CacheKey;
use crate::cache::lookup::seconds;
use crate::cache::semantic::index::AnsweredQuestion;
use crate::fleet::announce::Announcer;
use crate::fleet::redis_link::{Away, RedisLink};

/// Keys that are looked at in one step when some are forgotten.
const BATCH_SIZE: usize = 500;

/// The answers in Redis, and their questions; clones share the link.
#[derive(Clone)]
pub struct SharedAnswers {
    /// A link to Redis of its own: an answer may be large, and what is asked for limits must not wait behind it.
    pub link: Rc<RedisLink>,
    /// Tells the other processes what to forget.
    pub announcer: Announcer,
}

impl SharedAnswers {
    /// Reads an answer.
    pub(super) async fn get(&self, key: CacheKey, namespace: &str) -> Result<Option<CacheEntry>, String> {
        let name = name(key, namespace);
        let read = self.link.ask(|mut redis| async move { redis.get::<_, Option<String>>(name).await }).await;
        let text = read.map_err(|away| away.to_string())?;
        let entry = text.map(|text| serde_json::from_str(&text)).transpose();
        entry.map_err(|_| "an answer in Redis cannot be read".to_owned())
    }

    /// Writes an answer, for as long as it lives.
    pub(super) async fn put(&self, key: CacheKey, entry: &CacheEntry) -> Result<(), String> {
        let (name, ttl) = (name(key, &entry.namespace), seconds_until(entry.expires_at));
        let text = serde_json::to_string(entry).map_err(|_| "an answer cannot be written")?;
        let kept = self.link.ask(|mut redis| async move { redis.set_ex::<_, _, ()>(name, text, ttl).await });
        kept.await.map_err(|away| away.to_string())
    }

    /// Writes down the question of an answer that is there.
    pub(in crate::cache) async fn put_question(
        &self,
        question: &AnsweredQuestion,
        namespace: &str,
    ) -> Result<(), Away> {
        shared_questions::tell(&self.link, question, namespace).await
    }

    /// Forgets answers here and in all processes; gives how many were here.
    pub(super) async fn forget(&self, invalidation: &Invalidation) -> Result<usize, Away> {
        // First here, so that no process takes it from Redis again after it has forgotten it.
        let questions = forget_in_redis(&self.link, &pattern("embeddings", invalidation)).await;
        let forgotten = forget_in_redis(&self.link, &pattern("simple", invalidation)).await;
        self.announcer.forget(&invalidation.to_string());
        questions.and(forgotten)
    }

    /// Forgets one answer here and in all processes.
    pub(super) async fn remove(&self, key: CacheKey, namespace: &str) -> Result<(), Away> {
        let names = [question_name(key, namespace), name(key, namespace)];
        let removed = self.link.ask(|mut redis| async move { redis.unlink::<_, ()>(&names).await }).await;
        self.announcer.forget(&Invalidation::Key(key.to_hex()).to_string());
        removed
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
