//! One door to the vendors' formats: which module translates for which dialect.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::json_object::JsonObject;
use super::openai::StreamOptions;
use super::surrogates::replace_lone;
use super::{
    BadRequest, ErrorBody, StreamDecoder, Usage, VendorRequest, WholeAnswer, anthropic, malformed, ollama, openai,
};
use crate::Dialect;

/// What the gateway itself gives to an answer, where the vendor does not.
#[derive(Clone, Copy, Debug)]
pub struct AnswerStamp<'a> {
    /// The answer's id, for vendors without one.
    pub id: &'a str,
    /// The model as the client knows it.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether fields beyond OpenAI's own are removed (`strict_open_ai_compliance`).
    pub strict: bool,
    /// How many choices were asked for.
    pub choices: u64,
}

/// A chat request in the vendor's format.
///
/// # Errors
/// Where the format cannot express the request.
pub fn chat_request(
    dialect: Dialect,
    body: &JsonObject,
    model: &str,
    options: StreamOptions,
) -> Result<VendorRequest, BadRequest> {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => openai::chat_request(body, model, options),
        Dialect::Anthropic => anthropic::chat_request(&tree(body)?, model),
        Dialect::Ollama => ollama::chat_request(&tree(body)?, model),
    }
}

/// An embeddings request in the vendor's format.
///
/// # Errors
/// Where the vendor has no embeddings or cannot express the request.
pub fn embeddings_request(dialect: Dialect, body: &JsonObject, model: &str) -> Result<VendorRequest, BadRequest> {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => Ok(openai::embeddings_request(body, model)),
        Dialect::Anthropic => Err(BadRequest::new("model", "Anthropic has no embeddings: choose another provider.")),
        Dialect::Ollama => ollama::embeddings_request(&tree(body)?, model),
    }
}

/// A whole chat answer in OpenAI's shape.
///
/// # Errors
/// Where the answer is not in the vendor's format, or is an error.
pub fn chat_answer(dialect: Dialect, body: Bytes, stamp: AnswerStamp<'_>) -> Result<WholeAnswer, ErrorBody> {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => openai::chat_answer(body, stamp.strict),
        Dialect::Anthropic => anthropic::chat_answer(&body, stamp.created, stamp.strict),
        Dialect::Ollama => {
            ollama::chat_answer(&body, stamp.id, stamp.created, stamp.strict).map_err(|text| malformed(&text))
        }
    }
}

/// A whole embeddings answer in OpenAI's shape; `base64` is the client's `encoding_format`.
///
/// # Errors
/// Where the answer is not in the vendor's format, or is an error.
pub fn embeddings_answer(
    dialect: Dialect,
    body: Bytes,
    stamp: AnswerStamp<'_>,
    base64: bool,
) -> Result<WholeAnswer, ErrorBody> {
    match dialect {
        Dialect::Ollama => ollama::embeddings_answer(&body, stamp.model, base64).map_err(|text| malformed(&text)),
        _ => openai::read_answer(body),
    }
}

/// A decoder for the vendor's streamed chat answers.
pub fn chat_stream(dialect: Dialect, stamp: AnswerStamp<'_>) -> Box<dyn StreamDecoder> {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => Box::new(openai::ChatStream::new(stamp.strict).of(stamp.choices)),
        Dialect::Anthropic => Box::new(anthropic::ChatStream::new(stamp.model, stamp.created, stamp.strict)),
        Dialect::Ollama => Box::new(ollama::ChatStream::new(stamp.id, stamp.model, stamp.created, stamp.strict)),
    }
}

/// The error of a non-2xx answer in OpenAI's shape.
pub fn error_body(dialect: Dialect, status: u16, body: &[u8]) -> ErrorBody {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => openai::error_body(status, body),
        Dialect::Anthropic => anthropic::error_body(status, body),
        Dialect::Ollama => ollama::error_body(status, body),
    }
}

/// What the vendor counted in an answer that is none, if it tells (B7).
pub fn usage_in(dialect: Dialect, body: &[u8]) -> Option<Usage> {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => openai::usage_in(body),
        Dialect::Anthropic => anthropic::usage_in(body),
        Dialect::Ollama => ollama::usage_in(body),
    }
}

fn tree(body: &JsonObject) -> Result<Map<String, Value>, BadRequest> {
    serde_json::from_slice(&replace_lone(body.text()))
        .map_err(|error| BadRequest { param: None, message: format!("The request body is not valid JSON: {error}.") })
}
