mod answers;
mod natives;
mod requests;
mod round_trips;
mod streams;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::clients::ClientFormat;
use crate::clients::responses::Responses;
use crate::json_object::JsonObject;
use crate::vendors::Quirks;

fn object(text: &str) -> JsonObject {
    JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn read(text: &str) -> Conversation {
    Responses.read(&object(text)).unwrap()
}

/// The request that a conversation makes, and what was dropped.
fn sent(conversation: &Conversation, quirks: &Quirks) -> (Value, Vec<String>) {
    let target = TargetModel { model: "v", quirks, max_output_tokens: Some(1_000) };
    let request = OpenAiResponses.request(conversation, &target).unwrap();
    assert_eq!(request.path, "/responses");
    (serde_json::from_slice(&request.body).unwrap(), request.dropped_params)
}

/// A stream's frames of events.
fn stream_of(events: &[Value]) -> String {
    let frame = |(at, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = at.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    };
    events.iter().enumerate().map(frame).collect()
}
