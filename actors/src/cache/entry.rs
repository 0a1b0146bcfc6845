//! One stored answer, and how it is told again.

use bytes::Bytes;
use gateway_wire::replay::{self, AnswerBuilder};
use gateway_wire::sse;
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
}

impl CacheEntry {
    /// About the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let body = match &self.body {
            CachedBody::Whole(text) => text.len(),
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

    /// The answer in one piece, without metadata; none where what is stored makes no sense.
    pub fn whole(&self) -> Option<Bytes> {
        let (chunks, usage) = match &self.body {
            CachedBody::Whole(text) => return Some(Bytes::from(text.clone())),
            CachedBody::Stream { chunks, usage } => (chunks, usage),
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

    /// The answer as a stream: its framed chunks, and the text of the chunk that tells the usage.
    pub fn stream(&self) -> Option<(Vec<Bytes>, Option<Bytes>)> {
        match &self.body {
            CachedBody::Stream { chunks, usage } => {
                let frames = chunks.iter().map(|chunk| sse::frame(chunk.as_bytes())).collect();
                Some((frames, usage.clone().map(Bytes::from)))
            }
            CachedBody::Whole(text) => {
                let whole: Map<String, Value> = serde_json::from_str(text).ok()?;
                let frames = replay::chunks_of(&whole).iter().map(replay::frame).collect();
                Some((frames, replay::usage_chunk(&whole).map(Bytes::from)))
            }
        }
    }
}
