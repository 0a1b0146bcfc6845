//! The events of the Messages API, framed.

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;

use super::form::Part;
use super::usage::Counts;
use crate::common::JsonText;

/// An event.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Frame<'a> {
    MessageStart { message: Opening<'a> },
    ContentBlockStart { index: usize, content_block: Part<'a> },
    ContentBlockDelta { index: usize, delta: Growth<'a> },
    ContentBlockStop { index: usize },
    MessageDelta { delta: Ending<'a>, usage: Counts },
    MessageStop,
}

/// A message that begins.
#[derive(Serialize)]
pub(crate) struct Opening<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub role: &'static str,
    pub model: &'a str,
    pub content: [(); 0],
    pub stop_reason: Option<&'a str>,
    pub stop_sequence: Option<&'a str>,
    pub usage: Counts,
}

/// What a block grows by.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(crate) enum Growth<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: Cow<'a, str> },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: JsonText },
}

/// How a message ends.
#[derive(Serialize)]
pub(crate) struct Ending<'a> {
    pub stop_reason: &'a str,
    pub stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_details: Option<&'a JsonText>,
}

impl<'a> Frame<'a> {
    /// The event that a message begins.
    pub fn opening(id: &'a str, model: &'a str, usage: Counts) -> Self {
        let (kind, role) = ("message", "assistant");
        let message = Opening { id, kind, role, model, content: [], stop_reason: None, stop_sequence: None, usage };
        Self::MessageStart { message }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }

    /// Appends the event; clients skip those without a name.
    pub fn write(&self, out: &mut BytesMut) {
        write(self.name(), self, out);
    }
}

/// Appends an event of a name.
pub(crate) fn write(name: &str, data: &impl Serialize, out: &mut BytesMut) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let start = out.len();
    // Texts, numbers and JSON that was checked always serialise; into memory they always fit.
    if serde_json::to_writer((&mut *out).writer(), data).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"{}");
    }
    // JSON that passes as it stands may be spread over lines; a line end in it is white space.
    for byte in out.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    out.extend_from_slice(b"\n\n");
}
