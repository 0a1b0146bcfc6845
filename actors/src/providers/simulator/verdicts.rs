//! Moderations and rankings.

use std::time::Duration;

use gateway_wire::json_object::JsonObject;
use serde_json::{Value, json};

use super::{SimulatedAnswer, refusal, tokens, whole};

/// The answer of a model to a moderations request: nothing is flagged.
pub fn moderations(body: &JsonObject, model: &str) -> SimulatedAnswer {
    if model != "sim-moderation" {
        return refusal(404, "model_not_found", &format!("The simulator has no moderation model '{model}'."));
    }
    let count = match body.read::<Value>("input") {
        Ok(Some(Value::String(_))) => 1,
        Ok(Some(Value::Array(items))) if !items.is_empty() => items.len(),
        _ => return refusal(400, "invalid_input", "'input' must be a text or an array."),
    };
    let result = json!({"flagged": false, "categories": {"violence": false}, "category_scores": {"violence": 0.0}});
    answered(&json!({"id": "modr-simulated", "model": model, "results": vec![result; count]}))
}

/// The answer of a model to a rerank request: documents by the share of the query's words that they have.
pub fn rerank(body: &JsonObject, model: &str) -> SimulatedAnswer {
    if model != "sim-rerank" {
        return refusal(404, "model_not_found", &format!("The simulator has no rerank model '{model}'."));
    }
    let (Ok(Some(query)), Ok(Some(documents))) = (body.read::<String>("query"), body.read::<Vec<Value>>("documents"))
    else {
        return refusal(400, "invalid_documents", "'query' must be a text and 'documents' an array.");
    };
    let text = |document: &Value| document.as_str().map_or_else(|| document["text"].to_string(), str::to_owned);
    let words: Vec<&str> = query.split_whitespace().collect();
    let score = |document: &Value| {
        let text = text(document);
        let shared = words.iter().filter(|word| text.contains(**word)).count();
        shared as f64 / words.len().max(1) as f64
    };
    let mut results: Vec<(usize, f64)> = documents.iter().map(score).enumerate().collect();
    results.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    results.truncate(body.read("top_n").ok().flatten().unwrap_or(usize::MAX));
    let results: Vec<Value> =
        results.iter().map(|(index, score)| json!({"index": index, "relevance_score": score})).collect();
    let count = tokens(&query) + documents.iter().map(|document| tokens(&text(document))).sum::<u64>();
    answered(&json!({"model": model, "results": results, "usage": {"prompt_tokens": count, "total_tokens": count}}))
}

fn answered(answer: &Value) -> SimulatedAnswer {
    SimulatedAnswer { delay: Duration::ZERO, status: 200, headers: Vec::new(), body: whole(answer) }
}
