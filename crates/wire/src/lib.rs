//! The API formats: pure translations between OpenAI's shapes, which clients speak, and each vendor's.

mod answer_stream;
mod chat_body;
pub mod clients;
pub mod common;
pub mod dialect;
mod dialect_name;
mod error_body;
pub mod exchange;
pub mod formats;
pub mod framing;
pub mod guarding;
pub mod json_object;
pub mod names;
pub mod openai;
mod operation;
mod outline;
pub mod replay;
pub mod retell;
mod splice;
pub mod sse;
pub mod surrogates;
mod translated;
pub mod usage;
pub mod vendors;

use bytes::Bytes;

pub use answer_stream::{CutOff, StreamDecoder, StreamEvent};
pub use dialect_name::Dialect;
pub use error_body::{ErrorBody, VendorErrorFields};
pub use operation::Endpoint;
pub use translated::{Native, Translated};
pub use usage::{ServiceTier, Usage};

/// A request that the gateway or a vendor's format cannot express; answered with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The field to blame, as a path (`messages[2].content`).
    pub param: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl BadRequest {
    /// A complaint about one field.
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), message: message.into() }
    }
}

/// A request in a vendor's own format, ready to be sent below the provider's base URL.
#[derive(Clone, Debug, PartialEq)]
pub struct VendorRequest {
    /// The path below the base URL, such as `/chat/completions`.
    pub path: String,
    /// Headers that this request needs beside the provider's own.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Parameters of the client that the format has no counterpart for, told in `x-gateway-dropped-params` (I6).
    pub dropped_params: Vec<String>,
}

/// A whole answer in the client's format.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeAnswer {
    /// The JSON text.
    pub body: Bytes,
    /// What the vendor counted, where it tells.
    pub usage: Option<Usage>,
    /// The text that was generated, of answer, reasoning and calls; none where it stands in a chat answer's body.
    pub text: Option<String>,
    /// The items by which a conversation goes on from the answer, where it is to be stored and shows others.
    pub replay: Option<Vec<common::JsonText>>,
    /// Why the client may not have it, where a guardrail denied it; `body` is empty then.
    pub denied: Option<Box<ErrorBody>>,
}

/// The longest event or line of a stream, in bytes; a vendor that never ends one must not fill the memory.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// An event or line grew beyond `MAX_EVENT_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// The error for a stream that ended without a terminal event (D2).
fn cut_short() -> ErrorBody {
    stream_error("The provider closed the stream before the answer was complete.", "stream_cut")
}

/// The error for a stream with an event that has no end.
fn too_long() -> ErrorBody {
    stream_error("The provider's stream has an event that is too long.", "malformed_stream")
}

/// The error for an answer that is not what it should be.
fn malformed(message: &str) -> ErrorBody {
    stream_error(message, "malformed_answer")
}

fn stream_error(message: &str, code: &str) -> ErrorBody {
    ErrorBody::new("api_error", code, message)
}
