//! Anthropic's stream events, as far as they are read.

use serde::Deserialize;
use serde_json::Value;

/// One event: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The content block that the event is about.
    pub index: Option<u64>,
    pub delta: Option<Delta>,
    pub content_block: Option<Value>,
    pub message: Option<Message>,
    pub usage: Option<Value>,
    pub error: Option<Value>,
}

/// What a content block grows by, or the end of the message.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    pub text: Option<String>,
    pub partial_json: Option<String>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub citation: Option<Value>,
    pub stop_reason: Option<String>,
}

/// The message that begins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message {
    pub id: Option<String>,
    pub model: Option<String>,
    pub usage: Option<Value>,
}
