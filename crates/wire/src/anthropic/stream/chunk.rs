//! OpenAI's chunks, written.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::sse;

/// What is the same in all chunks of one stream.
#[derive(Debug)]
pub(super) struct Head {
    pub id: String,
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
}

#[derive(Serialize)]
struct Chunk<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: C,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    delta: &'a Delta<'a>,
    finish_reason: Option<&'static str>,
}

/// What a chunk adds to the message.
#[derive(Default, Serialize)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_blocks: Option<[&'a Value; 1]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub annotations: &'a [Value],
}

/// A part of a tool call.
#[derive(Serialize)]
pub(super) struct Call<'a> {
    pub index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    pub function: Function<'a>,
}

#[derive(Serialize)]
pub(super) struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    pub arguments: &'a str,
}

impl Head {
    /// A chunk with one choice, framed.
    pub fn frame(&self, delta: &Delta<'_>, finish_reason: Option<&'static str>) -> Bytes {
        sse::frame(&self.json([Choice { index: 0, delta, finish_reason }], None, None))
    }

    /// The chunk that tells the usage, not framed.
    pub fn usage(&self, usage: Value, service_tier: Option<&'static str>) -> Bytes {
        Bytes::from(self.json([(); 0], Some(usage), service_tier))
    }

    fn json(&self, choices: impl Serialize, usage: Option<Value>, service_tier: Option<&'static str>) -> Vec<u8> {
        let (object, created) = ("chat.completion.chunk", self.created);
        let chunk = Chunk { id: &self.id, object, created, model: &self.model, choices, service_tier, usage };
        // Strings, numbers and trees with string keys always serialise.
        serde_json::to_vec(&chunk).unwrap_or_default()
    }
}
