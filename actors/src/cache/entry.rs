//! One stored answer, and how it is told again.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use gateway_wire::clients::{ClientKind, ReplyContext};
use gateway_wire::common::{Conversation, JsonText};
use gateway_wire::guarding::{AnswerGuard, guard_answer};
use gateway_wire::replay::{self, AnswerBuilder};
use gateway_wire::retell::{self, Told};
use gateway_wire::sse;
use gateway_wire::{ErrorBody, formats};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::money::amount::PicoUsd;

/// An answer that may be given again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// Whose answer it is: nobody else sees it.
    pub tenant: String,
    /// The namespace that it may be used in.
    pub namespace: String,
    /// The provider that gave it.
    pub provider: String,
    /// The model that gave it.
    pub model: String,
    /// What it cost, which each hit saves; in pico-dollars, none where the model has no price.
    pub cost: Option<i64>,
    /// When it was given, in seconds since 1970.
    pub stored_at: u64,
    /// Until when it may be used, in seconds since 1970.
    pub expires_at: u64,
    /// What was said.
    #[serde(rename = "said")]
    pub body: CachedBody,
}

/// An answer as the provider gave it, without the gateway's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CachedBody {
    /// In one piece: JSON text.
    Whole(String),
    /// As a stream.
    Stream {
        /// The JSON texts of its chunks, without usage.
        chunks: Vec<String>,
        /// The JSON text of the chunk that tells the usage.
        usage: Option<String>,
    },
    /// As a client of another format than chat was told it.
    Told {
        /// The format.
        format: ClientKind,
        /// Whether as a stream.
        stream: bool,
        /// The JSON text, or the frames of the stream.
        text: String,
    },
}

/// A stored answer as a client gets it.
#[derive(Debug)]
pub struct Retold {
    /// The JSON text, or the frames of the stream.
    pub body: Bytes,
    /// The items by which a conversation goes on from it, where they are others than it shows.
    pub replay: Option<Vec<JsonText>>,
}

impl CacheEntry {
    /// About the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let body = match &self.body {
            CachedBody::Whole(text) => text.len(),
            CachedBody::Told { text, .. } => text.len(),
            CachedBody::Stream { chunks, usage } => {
                let chunks = chunks.iter().map(|chunk| chunk.len() + size_of::<String>()).sum::<usize>();
                chunks + usage.as_ref().map_or(0, String::len)
            }
        };
        let names = self.tenant.len() + self.namespace.len() + self.provider.len() + self.model.len();
        size_of::<Self>() + names + body
    }

    /// Seconds since it was given.
    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.stored_at)
    }

    /// What a hit saves.
    pub fn saved(&self) -> Option<PicoUsd> {
        self.cost.map(|cost| PicoUsd::from_picos(i128::from(cost)))
    }

    /// The answer as a client of another format than chat gets it; none where what is stored makes no sense. What was told
    /// in the same way is told again byte by byte; but Responses repeats fields of its request, which may be another
    /// user's, so that it is told as this request's own.
    ///
    /// # Errors
    /// Where `guard`, which it passes, denies it.
    pub fn told(
        &self,
        kind: ClientKind,
        is_stream: bool,
        context: &ReplyContext<'_>,
        guard: Option<Box<dyn AnswerGuard>>,
    ) -> Option<Result<Retold, ErrorBody>> {
        let is_renamed = kind == ClientKind::Responses || guard.is_some();
        let stored = self.body.as_told();
        if stored.kind == kind && stored.is_stream == is_stream && !is_renamed {
            return Some(Ok(Retold { body: stored.text, replay: None }));
        }
        let mut answer = stored.answer()?;
        if kind == ClientKind::Responses {
            answer.head.id.clear();
        }
        if let Some(mut guard) = guard
            && let Err(error) = guard_answer(&mut answer, &mut *guard)
        {
            return Some(Err(error));
        }
        let replay = formats::client(kind).replay(&answer, context);
        let body = match is_stream {
            true => retell::frames(kind, answer, context),
            false => retell::whole(kind, answer, context),
        };
        Some(Ok(Retold { body, replay }))
    }

    /// The answer in one piece as chat tells it, without metadata; none where what is stored makes no sense.
    pub fn whole(&self) -> Option<Bytes> {
        let body = self.body.as_chat(self.stored_at)?;
        let (chunks, usage) = match &*body {
            CachedBody::Whole(text) => return Some(Bytes::from(text.clone())),
            CachedBody::Stream { chunks, usage } => (chunks, usage),
            CachedBody::Told { .. } => return None,
        };
        let mut joined = AnswerBuilder::default();
        for chunk in chunks {
            joined.push(serde_json::from_str(chunk).ok()?);
        }
        let mut whole = joined.whole();
        if let Some(usage) = usage {
            let mut chunk: Map<String, Value> = serde_json::from_str(usage).ok()?;
            whole.insert("usage".to_owned(), chunk.remove("usage")?);
        }
        Some(Bytes::from(Value::Object(whole).to_string()))
    }

    /// The answer as a stream of chat: its framed chunks, and the text of the chunk that tells the usage.
    pub fn stream(&self) -> Option<(Vec<Bytes>, Option<Bytes>)> {
        match &*self.body.as_chat(self.stored_at)? {
            CachedBody::Stream { chunks, usage } => {
                let frames = chunks.iter().map(|chunk| sse::frame(chunk.as_bytes())).collect();
                Some((frames, usage.clone().map(Bytes::from)))
            }
            CachedBody::Whole(text) => {
                let whole: Map<String, Value> = serde_json::from_str(text).ok()?;
                let frames = replay::chunks_of(&whole).iter().map(replay::frame).collect();
                Some((frames, replay::usage_chunk(&whole).map(Bytes::from)))
            }
            CachedBody::Told { .. } => None,
        }
    }
}

impl CachedBody {
    /// The answer as it was told.
    pub fn as_told(&self) -> Told {
        let told = |kind, is_stream, text: &str| Told { kind, is_stream, text: Bytes::from(text.to_owned()) };
        match self {
            Self::Whole(text) => told(ClientKind::Chat, false, text),
            Self::Told { format, stream, text } => told(*format, *stream, text),
            Self::Stream { chunks, usage } => {
                let mut frames = BytesMut::new();
                chunks.iter().chain(usage).for_each(|chunk| frames.extend_from_slice(&sse::frame(chunk.as_bytes())));
                frames.extend_from_slice(&sse::DONE);
                Told { kind: ClientKind::Chat, is_stream: true, text: frames.freeze() }
            }
        }
    }

    /// The answer in one of the forms of chat; `stored_at` is when it was made.
    fn as_chat(&self, stored_at: u64) -> Option<Cow<'_, Self>> {
        if !matches!(self, Self::Told { .. }) {
            return Some(Cow::Borrowed(self));
        }
        let answer = self.as_told().answer()?;
        let conversation = Conversation { model: answer.head.model.clone(), ..Conversation::default() };
        let (request_id, strict) = (answer.head.id.clone(), false);
        let context = ReplyContext {
            request_id: &request_id,
            conversation: &conversation,
            now: stored_at,
            input_estimate: None,
            strict,
            sealer: None,
        };
        let whole = retell::whole(ClientKind::Chat, answer, &context);
        Some(Cow::Owned(Self::Whole(String::from_utf8(whole.to_vec()).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use gateway_wire::clients::ClientFormat;
    use gateway_wire::clients::responses::Responses;
    use gateway_wire::json_object::JsonObject;
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Conversation {
        Responses.read(&JsonObject::parse(Bytes::from(body.to_string())).unwrap()).unwrap()
    }

    fn context<'a>(request_id: &'a str, conversation: &'a Conversation) -> ReplyContext<'a> {
        ReplyContext { request_id, conversation, now: 1, input_estimate: None, strict: false, sealer: None }
    }

    fn entry(stream: bool, text: &Bytes) -> CacheEntry {
        CacheEntry {
            tenant: "t".into(),
            namespace: String::new(),
            provider: "openai".into(),
            model: "m".into(),
            cost: None,
            stored_at: 0,
            expires_at: 1,
            body: CachedBody::Told {
                format: ClientKind::Responses,
                stream,
                text: String::from_utf8(text.to_vec()).unwrap(),
            },
        }
    }

    /// What one user sent is never told to another who asks the same.
    #[test]
    fn a_response_tells_its_own_request() {
        let chat = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
            "message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
        let first = read(&json!({
            "model": "m", "input": "x", "store": false, "metadata": { "who": "alice" },
            "safety_identifier": "alice", "prompt_cache_key": "alice",
        }));
        let second = read(&json!({ "model": "m", "input": "x", "store": false, "metadata": { "who": "bob" } }));
        for stream in [false, true] {
            let answer = CacheEntry { body: CachedBody::Whole(chat.to_owned()), ..entry(false, &Bytes::new()) };
            let told = answer.told(ClientKind::Responses, stream, &context("one", &first), None).unwrap().unwrap().body;
            assert!(String::from_utf8_lossy(&told).contains("alice"));
            let again = entry(stream, &told)
                .told(ClientKind::Responses, stream, &context("two", &second), None)
                .unwrap()
                .unwrap();
            let again = String::from_utf8_lossy(&again.body).into_owned();
            assert!(again.contains("bob") && again.contains("hello") && again.contains("two"), "{again}");
            assert!(!again.contains("alice") && !again.contains("gwone"), "{again}");
        }
    }
}
