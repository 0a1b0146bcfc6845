//! Embeddings: unit vectors made of a text's hash.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_wire::json_object::JsonObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{SimulatedAnswer, refusal, tokens, whole};

const DIMENSIONS: usize = 384;
const MAX_DIMENSIONS: usize = 4096;

/// The answer of a model to an embeddings request.
pub fn embeddings(body: &JsonObject, model: &str) -> SimulatedAnswer {
    if model != "sim-embedding" {
        return refusal(404, "model_not_found", &format!("The simulator has no embedding model '{model}'."));
    }
    let texts = match body.read::<Value>("input") {
        Ok(Some(Value::String(text))) => vec![text],
        // Token numbers are one input.
        Ok(Some(tokens @ Value::Array(_))) if tokens[0].is_number() => vec![tokens.to_string()],
        Ok(Some(Value::Array(items))) if !items.is_empty() => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        _ => return refusal(400, "invalid_input", "'input' must be a text or an array of texts."),
    };
    let dimensions = match body.read::<usize>("dimensions") {
        Ok(dimensions) => dimensions.unwrap_or(DIMENSIONS),
        Err(_) => 0,
    };
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        let message = format!("'dimensions' must be a number from 1 to {MAX_DIMENSIONS}.");
        return refusal(400, "invalid_dimensions", &message);
    }
    let base64 = matches!(body.get("encoding_format"), Some("\"base64\""));
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = texts.iter().enumerate().map(entry).collect();
    let count: u64 = texts.iter().map(|text| tokens(text)).sum();
    let answer = json!({"object": "list", "data": data, "model": model,
        "usage": {"prompt_tokens": count, "total_tokens": count}});
    SimulatedAnswer { delay: Duration::ZERO, status: 200, headers: Vec::new(), body: whole(&answer) }
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(dimensions);
    for block in 0_u64.. {
        let digest = Sha256::new().chain_update(block.to_le_bytes()).chain_update(text).finalize();
        values.extend(digest.iter().map(|byte| f32::from(*byte) - 127.5));
        if values.len() >= dimensions {
            break;
        }
    }
    values.truncate(dimensions);
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}
