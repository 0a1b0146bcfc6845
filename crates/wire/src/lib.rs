//! The API formats: pure translations between OpenAI's shapes, which clients speak, and each vendor's.

pub mod anthropic;
pub mod dialect;
mod dialect_name;
mod error_body;
pub mod framing;
pub mod json_object;
pub mod names;
pub mod ollama;
pub mod openai;
mod operation;
pub mod replay;
mod splice;
pub mod sse;
pub mod surrogates;
pub mod usage;

use bytes::Bytes;

pub use dialect_name::Dialect;
pub use error_body::{ErrorBody, VendorErrorFields};
pub use operation::Endpoint;
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

/// A whole answer in OpenAI's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeAnswer {
    /// The JSON text.
    pub body: Bytes,
    /// What the vendor counted, where it tells.
    pub usage: Option<Usage>,
}

/// One step of a streamed answer in OpenAI's shape.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// One `chat.completion.chunk`, framed for SSE (`data: {…}\n\n`), never with usage in it.
    Chunk {
        /// The framed bytes.
        frame: Bytes,
        /// Whether it carries a part of the answer (text, reasoning, refusal, tool call, audio) or its finish reason, so
        /// that no other target can take over after it (D1). A role-only opening is not content.
        content: bool,
    },
    /// What the vendor counted: at most once, after the last chunk.
    Usage {
        /// The counts.
        usage: Usage,
        /// The `chat.completion.chunk` with empty `choices` that tells a client who asked: JSON text, not framed.
        chunk: Bytes,
    },
    /// The answer is complete.
    Done,
    /// The answer broke off: an error event of the vendor, malformed data, or an end without a terminal event (D2).
    Error(ErrorBody),
}

/// Reads a vendor's streamed answer, whatever its chunking (D5), and tells it in OpenAI's shape.
///
/// After `Done` or `Error` nothing more comes out.
pub trait StreamDecoder {
    /// Takes the next bytes from the vendor and appends what they complete.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>);

    /// Takes the end of the vendor's answer: appends what was held back, and an error if no terminal event came.
    fn finish(&mut self, out: &mut Vec<StreamEvent>);

    /// Takes the break of the vendor's connection, before which only a terminal event makes an answer complete (D2).
    fn broken(&mut self, out: &mut Vec<StreamEvent>);

    /// Whether every part of the answer has told its end, so that a vendor who neither sends the terminal event nor
    /// closes is not waited for.
    fn is_complete(&self) -> bool {
        false
    }
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
