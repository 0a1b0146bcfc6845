//! The built-in `simulator`: a provider without network or account, for trying the gateway and rehearsing outages. It is
//! not a language model: the name of the model says what happens.
//!
//! | model | what happens |
//! |---|---|
//! | `sim-text` | a fixed friendly answer |
//! | `sim-echo` | the last user message comes back |
//! | `sim-delay-250` | `sim-text` after 250 ms |
//! | `sim-status-503` | that status, with an error in OpenAI's shape; 429 asks to wait a second |
//! | `sim-stall` | a stream falls silent after its first words; a whole answer never begins |
//! | `sim-cut` | the answer is cut off in the middle |
//! | `sim-tool` | a call of the request's first tool |
//! | `sim-reasoning` | reasoning, then the answer |
//! | `sim-slow-20x100` | a stream of 20 pieces of text, 100 ms before each; a whole answer comes at once |
//! | `sim-embedding` | embeddings, always the same for the same text |
//! | `sim-moderation` | no text is flagged |
//! | `sim-rerank` | documents by the words that they share with the query |
//!
//! Tokens are counted as four characters each.

mod chat;
mod embeddings;
mod verdicts;

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

pub use chat::answer;
pub use embeddings::embeddings;
pub use verdicts::{moderations, rerank};

/// A scripted answer in OpenAI's wire format.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedAnswer {
    /// The wait before the head.
    pub delay: Duration,
    /// The HTTP status.
    pub status: u16,
    /// Headers, by lower-case name.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: SimulatedBody,
}

/// A scripted body.
#[derive(Clone, Debug, PartialEq)]
pub enum SimulatedBody {
    /// One JSON text.
    Whole {
        /// The text, or what of it arrives.
        bytes: Bytes,
        /// What follows.
        ending: Ending,
    },
    /// A stream.
    Stream {
        /// SSE events, each with the wait before it.
        events: Vec<(Duration, Bytes)>,
        /// What follows.
        ending: Ending,
    },
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Complete,
    /// The connection breaks.
    Cut,
    /// Nothing more comes, and the connection stays.
    Stall,
}

/// An error in OpenAI's shape.
fn refusal(status: u16, code: &str, message: &str) -> SimulatedAnswer {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    let headers = if status == 429 { vec![("retry-after", "1".to_owned())] } else { Vec::new() };
    SimulatedAnswer { delay: Duration::ZERO, status, headers, body: whole(&body) }
}

fn whole(body: &serde_json::Value) -> SimulatedBody {
    SimulatedBody::Whole { bytes: Bytes::from(body.to_string()), ending: Ending::Complete }
}

/// Roughly how many tokens a text has.
fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests;
