mod calls;
mod requests;
mod state;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::*;
use crate::common::{Conversation, Event};
use crate::sse::SseDecoder;

fn body(text: &str) -> JsonObject {
    JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn read(text: &str) -> Conversation {
    Responses.read(&body(text)).unwrap()
}

fn context(conversation: &Conversation) -> ReplyContext<'_> {
    ReplyContext {
        request_id: "r1",
        conversation,
        now: 1_700_000_000,
        input_estimate: None,
        strict: false,
        sealer: None,
    }
}

/// The frames of a stream's events, each checked to have its name, as JSON.
fn frames(bytes: BytesMut) -> Vec<Value> {
    let (mut decoder, mut events) = (SseDecoder::default(), Vec::new());
    decoder.push(bytes.freeze(), &mut events).unwrap();
    let read = |event: crate::sse::SseEvent| {
        let json: Value = serde_json::from_slice(&event.data).unwrap();
        assert_eq!(event.name.as_deref(), json["type"].as_str(), "every event has its name");
        json
    };
    events.into_iter().map(read).collect()
}

/// What a client is told of events.
fn told(conversation: &Conversation, events: Vec<Event>) -> Vec<Value> {
    let mut encoder = Responses.stream(&context(conversation));
    let mut out = BytesMut::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    frames(out)
}

/// The types of events, in short.
fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}
