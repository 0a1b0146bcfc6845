//! What stores the answer of one request once it is complete.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gateway_wire::common::JsonText;
use serde_json::Value;

use super::handle::StoredResponses;
use super::record::{ResponseContent, StoredResponse};

/// The events that end a stream with an answer.
const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];

/// Stores the answer of one request.
pub struct AnswerKeeper {
    /// Where it is stored.
    pub responses: StoredResponses,
    /// Who may read it.
    pub tenant: String,
    /// The id of the key that asked.
    pub virtual_key_id: String,
    /// The model that the client named.
    pub model: String,
    /// When the request came.
    pub created_at: DateTime<Utc>,
    /// Every item of the input, those of former answers included.
    pub input: Vec<JsonText>,
}

impl AnswerKeeper {
    /// Stores a whole answer. `replay` has the items by which the conversation goes on, where the answer shows others.
    pub fn keep_whole(&self, body: &Bytes, replay: Option<Vec<JsonText>>) {
        if let Ok(response) = serde_json::from_slice(body) {
            self.keep(response, replay);
        }
    }

    /// Stores the answer that stands in the last frames of a stream.
    pub fn keep_streamed(&self, frames: &Bytes, replay: Option<Vec<JsonText>>) {
        if let Some(response) = last_response(frames) {
            self.keep(response, replay);
        }
    }

    fn keep(&self, response: Value, replay: Option<Vec<JsonText>>) {
        let is_complete = matches!(response.get("status").and_then(Value::as_str), Some("completed" | "incomplete"));
        let Some(id) = response.get("id").and_then(Value::as_str).filter(|_| is_complete) else { return };
        let shown = || response.get("output").and_then(Value::as_array).cloned().unwrap_or_default();
        let output = replay.map_or_else(shown, |items| items.iter().map(JsonText::value).collect());
        let stored = StoredResponse {
            id: id.to_owned(),
            tenant: self.tenant.clone(),
            virtual_key_id: self.virtual_key_id.clone(),
            model: self.model.clone(),
            created_at: self.created_at,
            content: ResponseContent { input: self.input.iter().map(JsonText::value).collect(), output, response },
        };
        if let Err(refusal) = self.responses.put(stored) {
            // It is counted too.
            log::warn!("an answer cannot be gone on from: {refusal}");
        }
    }
}

/// The response object of the event that ends a stream, where it is the last of some frames.
fn last_response(frames: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(frames).ok()?;
    let mut events = text.rsplit("\n\n").filter(|event| !event.trim().is_empty());
    let data = events.next()?.lines().find_map(|line| line.strip_prefix("data:"))?;
    let mut event: Value = serde_json::from_str(data).ok()?;
    let is_end = event.get("type").and_then(Value::as_str).is_some_and(|kind| ENDS.contains(&kind));
    event.get_mut("response").filter(|_| is_end).map(Value::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_stands_in_the_last_event() {
        let end = |kind: &str| {
            let other = "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\"}\n\n";
            let last = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"r\"}}}}\n\n");
            last_response(format!("{other}{last}").as_bytes())
        };
        for kind in ENDS {
            assert_eq!(end(kind), Some(serde_json::json!({ "id": "r" })), "{kind}");
        }
        assert_eq!((end("response.failed"), last_response(b"")), (None, None));
    }
}
