//! Anthropic's stream events, as far as they are read: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::common::JsonText;

/// One event.
#[derive(Debug, Deserialize)]
pub(super) struct Told<'a> {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The content block that the event is about.
    pub index: Option<u64>,
    pub delta: Option<Growth>,
    #[serde(borrow)]
    pub content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub message: Option<Opening<'a>>,
    pub usage: Option<Value>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

/// What a content block grows by, or the end of the message.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Growth {
    pub text: Option<String>,
    pub partial_json: Option<String>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    /// A piece of a summary of what was compacted.
    pub content: Option<Value>,
    pub citation: Option<Value>,
    pub stop_reason: Option<String>,
    pub stop_sequence: Option<String>,
    pub stop_details: Option<JsonText>,
}

/// The message that begins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Opening<'a> {
    pub id: Option<String>,
    #[serde(borrow)]
    pub model: Option<&'a RawValue>,
    pub usage: Option<Value>,
}
