//! Embeddings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Part;
use crate::{BadRequest, ErrorBody, VendorRequest, WholeAnswer, malformed};

/// Fields that pass as they are: shared ones, and Ollama's own as extensions.
const UNCHANGED_FIELDS: [&str; 4] = ["dimensions", "keep_alive", "truncate", "options"];

/// Fields that are translated, `encoding_format` on the way back.
const TRANSLATED_FIELDS: [&str; 3] = ["model", "input", "encoding_format"];

/// A field that is there and not null.
fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

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

/// What an answer holds, read wide so that the numbers are written again as they came.
#[derive(Deserialize)]
struct Vectors {
    embeddings: Vec<Vec<f64>>,
}

/// Translates embeddings; with `base64` each vector is little-endian 32-bit floats, as OpenAI's clients ask for.
///
/// # Errors
/// Where the answer is not in Ollama's format, or is an error.
pub fn embeddings_answer(body: &[u8], model: &str, base64: bool) -> Result<WholeAnswer, ErrorBody> {
    let not_ollamas = || malformed("The provider's answer is not in Ollama's format.");
    let answer = Part::read(body).ok_or_else(not_ollamas)?;
    if let Some(error) = answer.error(body) {
        return Err(malformed(&error.message));
    }
    let Vectors { embeddings } = serde_json::from_slice(body).map_err(|_| not_ollamas())?;
    let entry = |(index, vector): (usize, &Vec<f64>)| {
        let embedding = if base64 {
            json!(STANDARD.encode(vector.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect::<Vec<u8>>()))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = embeddings.iter().enumerate().map(entry).collect();
    let usage = answer.usage();
    let tokens = usage.unwrap_or_default().prompt_tokens;
    let translated = json!({"object": "list", "data": data, "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    Ok(WholeAnswer { body: Bytes::from(translated.to_string()), usage, text: None, replay: None, denied: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_told_in_both_encodings() {
        let body: Map<String, Value> = serde_json::from_value(json!({"input": ["a"], "dimensions": 2,
            "encoding_format": "base64", "user": "u", "odd": 1, "none": null}))
        .unwrap();
        let request = embeddings_request(&body, "nomic").unwrap();
        assert_eq!(request.dropped_params, ["user", "odd"]);
        assert_eq!(
            (request.path.as_str(), &request.body[..]),
            ("/api/embed", &br#"{"model":"nomic","input":["a"],"dimensions":2}"#[..])
        );
        let tokens: Map<String, Value> = serde_json::from_value(json!({"input": [[1, 2]]})).unwrap();
        assert_eq!(embeddings_request(&tokens, "nomic").unwrap_err().param.as_deref(), Some("input"));
        let answer = br#"{"embeddings":[[0.5,-1.0],[0.1,2e-7]],"prompt_eval_count":2}"#;
        let told = |base64| {
            let whole = embeddings_answer(answer, "nomic", base64).unwrap();
            serde_json::from_slice::<Value>(&whole.body).unwrap()
        };
        assert_eq!(told(false)["data"][0]["embedding"], json!([0.5, -1.0]));
        assert_eq!(told(true)["data"][0]["embedding"], "AAAAPwAAgL8=");
        assert_eq!(told(false)["data"][1]["embedding"].to_string(), "[0.1,2e-7]", "numbers stay as they came");
        assert_eq!(told(false)["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
        for (body, message) in [
            (r#"{"error":"no"}"#, "no"),
            ("[]", "The provider's answer is not in Ollama's format."),
            (r#"{"embeddings":[["x"]]}"#, "The provider's answer is not in Ollama's format."),
        ] {
            assert_eq!(embeddings_answer(body.as_bytes(), "nomic", false).unwrap_err().message, message);
        }
    }
}
