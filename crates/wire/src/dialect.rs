//! What is no chat, in the vendors' formats: embeddings, and what passes as it stands.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::json_object::JsonObject;
use super::surrogates::replace_lone;
use super::vendors::ollama;
use super::{BadRequest, ErrorBody, VendorRequest, WholeAnswer, openai};
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
    /// Whether the client wants the usage that each chunk of its stream has (`continuous_usage_stats`).
    pub shows_usage: bool,
}

/// An embeddings request in the vendor's format.
///
/// # Errors
/// Where the vendor has no embeddings or cannot express the request.
pub fn embeddings_request(dialect: Dialect, body: &JsonObject, model: &str) -> Result<VendorRequest, BadRequest> {
    match dialect {
        Dialect::OpenAi | Dialect::Responses | Dialect::Simulator => Ok(openai::embeddings_request(body, model)),
        Dialect::Anthropic => Err(BadRequest::new("model", "Anthropic has no embeddings: choose another provider.")),
        Dialect::Ollama => ollama::embeddings_request(&tree(body)?, model),
    }
}

/// A request that vendors of OpenAI's format take as it stands, with the vendor's name of the model: `path` is that of the
/// route below the base URL, and `what` names it.
///
/// # Errors
/// Where the vendor has another format, which has no counterpart.
pub fn passed_request(
    dialect: Dialect,
    (path, what): (&str, &str),
    body: &JsonObject,
    model: &str,
) -> Result<VendorRequest, BadRequest> {
    match dialect {
        Dialect::OpenAi | Dialect::Responses | Dialect::Simulator => Ok(openai::passed_request(path, body, model)),
        Dialect::Anthropic | Dialect::Ollama => {
            Err(BadRequest::new("model", format!("The provider of this model has no {what}: choose another one.")))
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
        Dialect::Ollama => ollama::embeddings_answer(&body, stamp.model, base64),
        _ => openai::read_answer(body),
    }
}

/// An answer that passes as it stands, and has no generated text.
///
/// # Errors
/// Where it is not a JSON object, or is an error.
pub fn passed_answer(body: Bytes) -> Result<WholeAnswer, ErrorBody> {
    Ok(WholeAnswer { text: Some(String::new()), ..openai::read_answer(body)? })
}

fn tree(body: &JsonObject) -> Result<Map<String, Value>, BadRequest> {
    serde_json::from_slice(&replace_lone(body.text()))
        .map_err(|error| BadRequest { param: None, message: format!("The request body is not valid JSON: {error}.") })
}
