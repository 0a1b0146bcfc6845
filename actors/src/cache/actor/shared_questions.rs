//! The questions that a fleet has answered: each process writes its own down in Redis and reads those of the others.

#![expect(clippy::disallowed_methods, reason = "the owner of the cache in Redis")]

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::AsyncCommands;
use redis::streams::StreamRangeReply;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::shared_answers::{question_name, seconds_until};
use crate::cache::key::CacheKey;
use crate::cache::semantic::index::{AnsweredQuestion, Index, PackedVector};
use crate::fleet::redis_link::{Away, RedisLink};

/// The stream of the names of questions, in the order in which they were answered.
const STREAM: &str = "cache:questions";

/// Names that the stream holds, about.
const MAX_QUESTIONS: usize = 200_000;

/// How often new questions are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Questions that are read in one step.
const BATCH_SIZE: usize = 500;

/// A question as it is in Redis.
#[derive(Serialize, Deserialize)]
struct StoredQuestion {
    context: String,
    key: String,
    text: String,
    expires_at: u64,
    scale: f32,
    /// Base64 of a byte a dimension.
    vector: String,
}

impl StoredQuestion {
    fn from_question(question: &AnsweredQuestion) -> Self {
        let bytes: Vec<u8> = question.vector.bytes.iter().map(|byte| byte.cast_unsigned()).collect();
        Self {
            context: question.context.to_hex(),
            key: question.key.to_hex(),
            text: question.text.to_string(),
            expires_at: question.expires_at,
            scale: question.vector.scale,
            vector: STANDARD.encode(bytes),
        }
    }

    fn question(self) -> Option<AnsweredQuestion> {
        let bytes = STANDARD.decode(self.vector).ok()?.into_iter().map(u8::cast_signed).collect();
        Some(AnsweredQuestion {
            context: CacheKey::from_hex(&self.context)?,
            key: CacheKey::from_hex(&self.key)?,
            text: self.text.into(),
            expires_at: self.expires_at,
            vector: PackedVector { bytes, scale: self.scale },
        })
    }
}

/// Writes a question down for the other processes, for as long as its answer lives.
pub(super) async fn tell(link: &RedisLink, question: &AnsweredQuestion, namespace: &str) -> Result<(), Away> {
    let (name, ttl) = (question_name(question.key, namespace), seconds_until(question.expires_at));
    let text = serde_json::to_string(&StoredQuestion::from_question(question)).map_err(|_never| Away)?;
    link.ask(|mut redis| async move {
        let mut both = redis::pipe();
        both.set_ex(&name, text, ttl).ignore();
        both.cmd("XADD").arg(STREAM).arg("MAXLEN").arg("~").arg(MAX_QUESTIONS).arg("*").arg("name").arg(&name).ignore();
        both.query_async::<()>(&mut redis).await
    })
    .await
}

/// Reads what is answered anywhere, from the beginning on, for as long as the process runs: also after a restart.
pub(super) async fn follow(link: Rc<RedisLink>, index: Arc<Index>) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = "-".to_owned();
    loop {
        ticks.tick().await;
        while link.state().is_up() {
            match read_on(&link, &index, &last).await {
                Ok(Some((next, count))) => {
                    last = next;
                    if count < BATCH_SIZE {
                        break;
                    }
                }
                Ok(None) | Err(Away) => break,
            }
        }
    }
}

/// Adds the questions behind a place in the stream; gives the new place, and how many names there were.
async fn read_on(link: &RedisLink, index: &Index, last: &str) -> Result<Option<(String, usize)>, Away> {
    let from = last.to_owned();
    let read = link.ask(|mut redis| async move {
        let mut range = redis::cmd("XRANGE");
        let reply: StreamRangeReply =
            range.arg(STREAM).arg(from).arg("+").arg("COUNT").arg(BATCH_SIZE).query_async(&mut redis).await?;
        let names: Vec<String> = reply.ids.iter().filter_map(|entry| entry.get("name")).collect();
        let texts: Vec<Option<String>> = if names.is_empty() { Vec::new() } else { redis.mget(names).await? };
        Ok((reply.ids.last().map(|entry| entry.id.clone()), reply.ids.len(), texts))
    });
    let (end, count, texts) = read.await?;
    // What has expired meanwhile is not there any more.
    for text in texts.into_iter().flatten() {
        match serde_json::from_str::<StoredQuestion>(&text).ok().and_then(StoredQuestion::question) {
            Some(question) => index.add(question),
            None => log::warn!("a question in Redis cannot be read"),
        }
    }
    Ok(end.map(|end| (format!("({end}"), count)))
}

#[cfg(test)]
mod tests {
    use gateway_testkit::redis::TestRedis;
    use gateway_wire::json_object::JsonObject;

    use super::*;
    use crate::cache::key::{Surroundings, cache_key};
    use crate::cache::lookup::seconds;

    fn key(name: &'static str) -> CacheKey {
        let around = Surroundings { tenant: name, namespace: "", endpoint: "/", plan: "" };
        cache_key(around, &JsonObject::parse(bytes::Bytes::from_static(b"{}")).unwrap()).unwrap()
    }

    fn question(name: &'static str) -> AnsweredQuestion {
        let vector = PackedVector::from_floats(&[0.6, -0.8, 0.0]);
        AnsweredQuestion {
            context: key("context"),
            key: key(name),
            text: name.into(),
            expires_at: seconds() + 60,
            vector,
        }
    }

    /// What one process wrote down another one reads, once, and again from the beginning after a restart; what has
    /// expired is passed over.
    #[actix_rt::test]
    async fn questions_are_read_by_others() {
        let redis = TestRedis::start();
        let link = RedisLink::new(&redis.url(), "tests").unwrap();
        link.mend().await;
        let index = Index::new(10);
        assert_eq!(read_on(&link, &index, "-").await.unwrap(), None);
        tell(&link, &question("one"), "").await.unwrap();
        tell(&link, &question("two"), "names").await.unwrap();
        let (last, count) = read_on(&link, &index, "-").await.unwrap().unwrap();
        assert_eq!((count, index.len()), (2, 2));
        let near = index.search(&key("context"), &[0.6, -0.8, 0.0], 0.99, 0);
        assert_eq!(near.len(), 2);
        assert_eq!(read_on(&link, &index, &last).await.unwrap(), None);
        tell(&link, &question("three"), "").await.unwrap();
        assert_eq!(read_on(&link, &index, &last).await.unwrap().unwrap().1, 1);
        let names = redis.cli("--scan --pattern cache:embeddings:*");
        redis.cli(&format!("del {}", names.lines().next().unwrap()));
        let anew = Index::new(10);
        assert_eq!(read_on(&link, &anew, "-").await.unwrap().unwrap().1, 3);
        assert_eq!(anew.len(), 2);
    }
}
