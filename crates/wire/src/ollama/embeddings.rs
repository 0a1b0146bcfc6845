//! Embeddings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{error_in, present, usage_of};
use crate::{BadRequest, VendorRequest, WholeAnswer};

/// Fields that pass as they are: shared ones, and Ollama's own as extensions.
const UNCHANGED_FIELDS: [&str; 4] = ["dimensions", "keep_alive", "truncate", "options"];

/// Fields that are translated, `encoding_format` on the way back.
const TRANSLATED_FIELDS: [&str; 3] = ["model", "input", "encoding_format"];

/// Translates an embeddings request.
///
/// # Errors
/// Where the input is not text, which is all that Ollama takes.
pub fn embeddings_request(body: &Map<String, Value>, model: &str) -> Result<VendorRequest, BadRequest> {
    let input = body.get("input").unwrap_or(&Value::Null);
    let is_text = match input {
        Value::String(_) => true,
        Value::Array(items) => items.iter().all(Value::is_string),
        _ => false,
    };
    if !is_text {
        return Err(BadRequest::new("input", "Ollama embeds text: 'input' must be a text or an array of texts."));
    }
    let mut out = json!({"model": model, "input": input});
    for name in UNCHANGED_FIELDS {
        if let Some(value) = present(body, name) {
            out[name] = value.clone();
        }
    }
    let known = |name: &str| UNCHANGED_FIELDS.contains(&name) || TRANSLATED_FIELDS.contains(&name);
    let dropped = body.keys().filter(|name| present(body, name).is_some() && !known(name)).cloned().collect();
    let body = Bytes::from(out.to_string());
    Ok(VendorRequest { path: "/api/embed".to_owned(), headers: Vec::new(), body, dropped_params: dropped })
}

/// Translates embeddings; with `base64` each vector is little-endian 32-bit floats, as OpenAI's clients ask for.
///
/// # Errors
/// A text that says what is wrong with the answer.
pub fn embeddings_answer(body: &[u8], model: &str, base64: bool) -> Result<WholeAnswer, String> {
    let malformed = || "The provider's answer is not in Ollama's format.".to_owned();
    let answer: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    if let Some(error) = error_in(&answer) {
        return Err(error.message);
    }
    // Read wide, so that the numbers are written again as they came.
    let vectors: Vec<Vec<f64>> = serde_json::from_value(answer["embeddings"].clone()).map_err(|_| malformed())?;
    let entry = |(index, vector): (usize, &Vec<f64>)| {
        let embedding = if base64 {
            json!(STANDARD.encode(vector.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect::<Vec<u8>>()))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = vectors.iter().enumerate().map(entry).collect();
    let usage = usage_of(&answer);
    let tokens = usage.unwrap_or_default().prompt_tokens;
    let translated = json!({"object": "list", "data": data, "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage })
}
